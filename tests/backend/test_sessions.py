"""Sessions within the test's process: to a microphone made up, to files, fed by clients."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from backend import sessions
from backend.desks import Taken
from backend.hearing import RATE, Block, Samples, Scores
from backend.hearing.vad import Combined
from backend.meters import exposition
from backend.parts import Parts
from backend.problems import Problem
from backend.session import Session
from backend.settings import Settings
from backend.sources import portaudio
from common.api import ConfigureRequest, SessionRequest
from common.events import Error, Event, Level, SessionStopped, SystemStatus
from common.profile import Profile, TranscriptionPart, VadPart
from tests.backend.sources.made_up import Fake, Stream, fake
from tests.running import SOUNDS, TINY

__all__ = ["fake"]

SPHINX = {"transcription": {"engine": "pocketsphinx"}, "audio": {"device": "front", "channel": 2}}


@pytest.fixture
async def parts() -> AsyncIterator[Parts]:
    made = Parts.of(Settings(history=False))
    yield made
    await made.sessions.leave(5)
    await made.close()


class Told:
    """What the bus has told."""

    def __init__(self, parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
        self.events: list[Event] = []
        self._changed = asyncio.Event()
        publish = parts.bus.publish

        def keep(event: Event) -> None:
            publish(event)
            self.events.append(event)
            self._changed.set()

        monkeypatch.setattr(parts.bus, "publish", keep)

    async def until(self, wanted: Callable[[Event], bool]) -> Event:
        async with asyncio.timeout(20):
            while not any(wanted(event) for event in self.events):
                self._changed.clear()
                await self._changed.wait()
        return next(event for event in self.events if wanted(event))


def metric(parts: Parts) -> str:
    lines = exposition(parts).decode().splitlines()
    return next(line for line in lines if line.startswith("stt_overruns_total"))


async def test_lost_sound_is_in_the_figures_and_metrics_and_told(
    fake: Fake, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told(parts, monkeypatch)
    session = await parts.sessions.start(None, SPHINX)
    assert metric(parts) == "stt_overruns_total 0.0"
    fake.streams[0].give(7, 7, overflow=True)
    error = await told.until(lambda event: isinstance(event, Error))
    assert isinstance(error, Error)
    assert error.recoverable
    assert error.error == "Sound lost"
    assert session.figures().overruns == 1
    assert metric(parts) == "stt_overruns_total 1.0"
    await parts.sessions.stop()
    assert metric(parts) == "stt_overruns_total 1.0"


async def test_silence_of_the_chosen_channel_is_told_once_and_its_end_in_the_status(
    fake: Fake, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told(parts, monkeypatch)
    session = await parts.sessions.start(None, SPHINX)
    for _ in range(40_000):
        fake.streams[0].give(100, 0)
    await told.until(lambda event: isinstance(event, SystemStatus) and is_silent(event) is True)
    (error,) = [event for event in told.events if isinstance(event, Error)]
    assert "only channel 2" in error.details
    assert session.audio_status().fault == error.details
    told.events.clear()
    fake.streams[0].give(0, 100)
    await told.until(lambda event: isinstance(event, SystemStatus) and is_silent(event) is False)
    assert session.audio_status().fault is None
    assert not [event for event in told.events if isinstance(event, Error)]


def is_silent(status: SystemStatus) -> bool | None:
    return status.audio.silent if status.audio else None


HELLO = SOUNDS / "hello-world.flac"


def playing(**parts: Any) -> dict[str, Any]:
    return {
        "transcription": {"engine": "pocketsphinx"},
        "audio": {"source": f"file:{HELLO}"},
    } | parts


async def test_what_is_replaced_is_never_told_as_an_end_of_the_listening(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told(parts, monkeypatch)
    await parts.sessions.start(None, playing())
    second = await parts.sessions.start("captions", playing(), restart=True)
    await told.until(lambda event: isinstance(event, SystemStatus) and event.profile == "captions")
    kinds = [event.event for event in told.events if event.event.startswith("session")]
    assert kinds == ["session_started", "session_stopped", "session_started"]
    statuses = [event for event in told.events if isinstance(event, SystemStatus)]
    assert all(status.running for status in statuses)
    assert parts.sessions.main is second


async def test_one_that_ends_by_itself_before_it_is_replaced_is_told_at_once(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, take = Told(parts, monkeypatch), parts.sessions._take
    await parts.sessions.start(None, playing())
    downloaded = asyncio.Event()

    async def wait(profile: Profile) -> Taken:
        await downloaded.wait()
        return await take(profile)

    monkeypatch.setattr(parts.sessions, "_take", wait)
    restarting = asyncio.create_task(parts.sessions.start("captions", playing(), restart=True))
    await told.until(lambda event: isinstance(event, SystemStatus) and not event.running)
    downloaded.set()
    assert await restarting is parts.sessions.main


async def test_one_that_fails_to_take_a_place_is_told_as_an_end(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told(parts, monkeypatch)
    await parts.sessions.start(None, playing())

    async def fail(session: Session, ears: object) -> None:
        raise OSError("no thread can be started")

    monkeypatch.setattr(Session, "start", fail)
    with pytest.raises(OSError, match="no thread"):
        await parts.sessions.start(None, playing(), restart=True)
    await told.until(lambda event: isinstance(event, SystemStatus) and not event.running)
    assert parts.sessions.main is None


async def test_a_restart_that_cannot_be_leaves_what_runs(parts: Parts) -> None:
    before = await parts.sessions.start(None, playing())
    unheard = {"enabled": True, "detector": "pocketsphinx", "words": ["schnurzel"]}
    with pytest.raises(Problem, match="schnurzel") as caught:
        await parts.sessions.start(None, playing(wake_word=unheard), restart=True)
    assert caught.value.status == 503
    assert parts.sessions.main is before
    assert parts.sessions.all == [before]


def fed(session_id: str) -> SessionRequest:
    config = {"transcription": {"engine": "pocketsphinx"}}
    return SessionRequest(session_id=session_id, custom_config=config)


async def test_of_two_that_want_one_id_at_once_one_gets_it(parts: Parts) -> None:
    opened = [parts.sessions.open_for_chunks(fed("twin")) for _ in range(3)]
    results = await asyncio.gather(*opened, return_exceptions=True)
    assert [r.status for r in results if isinstance(r, Problem)] == [409, 409]
    assert len(parts.sessions.all) == 1
    assert await parts.sessions.stop() == 1


async def test_a_session_whose_client_left_while_it_was_opened_ends_by_itself(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "IDLE", 0.0)
    told = Told(parts, monkeypatch)
    asking = asyncio.create_task(parts.sessions.open_for_chunks(fed("orphan")))
    await asyncio.wait([asking], timeout=0)
    asking.cancel()
    stopped = await told.until(lambda event: isinstance(event, SessionStopped))
    assert isinstance(stopped, SessionStopped)
    assert stopped.reason == "idle"


async def test_stop_does_not_wait_for_a_model_that_configure_loads(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    await parts.sessions.start(None, playing())
    take, asked, arrived = parts.desks.take, asyncio.Event(), asyncio.Event()

    async def download(part: TranscriptionPart) -> Taken:
        asked.set()
        await arrived.wait()
        return await take(part)

    monkeypatch.setattr(parts.desks, "take", download)
    wish = ConfigureRequest(engine="pocketsphinx", words=True)
    changing = asyncio.create_task(parts.sessions.configure(wish))
    await asked.wait()
    assert await asyncio.wait_for(parts.sessions.stop(), 20) == 1
    arrived.set()
    assert (await changing).transcription.words
    assert parts.defaults.resolve(None, {})[1].transcription.words


async def test_of_two_changes_at_once_neither_is_lost(parts: Parts) -> None:
    wishes = [ConfigureRequest(engine="pocketsphinx", words=True), ConfigureRequest(prompt="Oslo")]
    await asyncio.gather(*(parts.sessions.configure(wish) for wish in wishes))
    _, profile = parts.defaults.resolve(None, {})
    now = profile.transcription
    assert (now.engine, now.words, now.prompt) == ("pocketsphinx", True, "Oslo")


async def test_what_configure_answers_is_what_the_next_session_has(parts: Parts) -> None:
    pytest.importorskip("mlx", reason="MLX is not installed here")
    tiny = str(TINY)
    for wish, model in [
        (ConfigureRequest(model=tiny, options={"temperature": 0.0}), tiny),
        (ConfigureRequest(engine="mlx_whisper", options={"sample_len": 9}), tiny),
        (
            ConfigureRequest(engine="pocketsphinx", fallback="mlx_whisper", fallback_model=tiny),
            None,
        ),
        (ConfigureRequest(engine="auto", fallback=None), None),
        (ConfigureRequest(fallback="pocketsphinx"), None),
    ]:
        answer = (await parts.sessions.configure(wish)).transcription
        assert answer.model == model
        assert parts.defaults.resolve(None, {})[1].transcription == answer


async def test_a_change_that_cannot_be_leaves_all_as_it_was(parts: Parts) -> None:
    with pytest.raises(Problem, match="options"):
        await parts.sessions.configure(
            ConfigureRequest(engine="pocketsphinx", options={"loud": True})
        )
    assert parts.defaults.resolve(None, {})[1].transcription.engine == "auto"


async def test_stop_breaks_off_a_start_that_waits(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()

    async def for_ever(part: TranscriptionPart) -> Taken:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(parts.desks, "take", for_ever)
    starting = asyncio.create_task(parts.sessions.start(None, playing()))
    await asked.wait()
    assert await parts.sessions.stop() == 0
    with pytest.raises(Problem, match="stopped before it was done"):
        await starting
    assert parts.sessions.all == []


async def test_a_microphone_that_is_not_let_go_of_holds_up_no_stop(
    fake: Fake, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portaudio, "PATIENCE", 0.05)
    monkeypatch.setattr(portaudio, "PARTING", 0.1)
    free = threading.Event()
    monkeypatch.setattr(Stream, "abort", lambda self, ignore_errors: free.wait(20))
    await parts.sessions.start(None, SPHINX)
    try:
        async with asyncio.timeout(5):
            assert await parts.sessions.stop() == 1
            with pytest.raises(Problem, match="doesn't answer"):
                await parts.sessions.start(None, SPHINX)
    finally:
        free.set()
    assert await asyncio.to_thread(fake.streams[0].closed.wait, 20)
    assert await parts.sessions.start(None, SPHINX)


async def test_the_zeros_of_a_file_are_no_fault(parts: Parts, tmp_path: Path) -> None:
    path = tmp_path / "zeros.wav"
    soundfile.write(path, np.zeros(round(2.2 * RATE), np.int16), RATE)
    session = await parts.sessions.start(None, SPHINX | {"audio": {"source": f"file:{path}"}})
    await session.done.wait()
    status = session.audio_status()
    assert (status.silent, status.fault, status.level_dbfs) == (False, None, -100)


async def test_who_waits_for_a_word_detects_speech_whatever_the_profile_says(
    fake: Fake, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told(parts, monkeypatch)
    config = {
        "transcription": {"engine": "pocketsphinx", "auto_start": False},
        "wake_word": {"enabled": True, "detector": "transcript"},
        "vad": {"enabled": False, "detector_type": "webrtc"},
    }
    await parts.sessions.start(None, config)
    for _ in range(1000):
        fake.streams[0].give(7)
    level = await told.until(lambda event: isinstance(event, Level))
    assert isinstance(level, Level)
    assert level.webrtc is not None


class Broken:
    """A detector that hears one frame and no more."""

    start = at_once = hold = sure = 0.5
    lag = 0

    def __init__(self, vad: VadPart) -> None:
        self._frames = 0

    def __call__(self, frame: Samples) -> Scores:
        self._frames += 1
        if self._frames > 1:
            raise RuntimeError("the detector broke")
        return Scores(1.0)


async def test_a_session_whose_hearing_fails_ends_and_lets_go_of_its_microphone(
    fake: Fake, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.session.make", Broken)
    told = Told(parts, monkeypatch)
    await parts.sessions.start(None, SPHINX)
    for _ in range(1000):
        fake.streams[0].give(100, 100)
    await told.until(lambda event: isinstance(event, SessionStopped))
    (error,) = [event for event in told.events if isinstance(event, Error)]
    assert (error.details, error.recoverable) == ("the detector broke", False)
    assert fake.streams[0].calls == ["abort", "close"]
    await told.until(lambda event: isinstance(event, SystemStatus) and not event.running)
    assert parts.sessions.main is None


async def test_a_session_is_tuned_in_the_order_of_its_sound(fake: Fake, parts: Parts) -> None:
    session = await parts.sessions.start(None, SPHINX)
    seen: list[float] = []
    hear = session.hear

    def listen(block: Block) -> None:
        hear(block)
        detector = session._segmenter.detector
        seen.append(detector.start if detector else 0.0)

    session.hear = listen  # type: ignore[method-assign]
    fake.streams[0].give(100, 100)
    await parts.sessions.tune(session.session_id, {"vad": {"sensitivity": 0.0}})
    fake.streams[0].give(100, 100)
    await parts.sessions.stop()
    assert seen[0] == Combined(VadPart()).start
    assert seen[-1] == Combined(VadPart(sensitivity=0)).start != seen[0]
    assert session.profile.vad.sensitivity == 0


async def test_what_cannot_be_tuned_is_refused_and_nothing_changes(
    fake: Fake, parts: Parts
) -> None:
    session = await parts.sessions.start(None, SPHINX)
    before = session.profile
    for changes, status, words in [
        ({"audio": {"device": "rear"}, "vad": {"sensitivity": 0.1}}, 409, "restart"),
        ({"wake_word": {"sensitivity": 0.1}}, 409, "wake_word.sensitivity"),
        ({"vad": {"sensitivity": 7}}, 400, "vad.sensitivity"),
        ({"vad": {"loud": 7}}, 400, "vad.loud"),
        ({"transcription": {"engine": "openai"}}, 503, "openai"),
    ]:
        with pytest.raises(Problem, match=words) as told:
            await parts.sessions.tune(session.session_id, changes)
        assert told.value.status == status
    assert session.profile == before
    with pytest.raises(Problem) as told:
        await parts.sessions.tune("nobody", {})
    assert told.value.status == 404


async def test_a_change_that_breaks_off_gives_its_engine_back(
    fake: Fake, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await parts.sessions.start(None, SPHINX)
    (desk,) = parts.desks.all
    assert desk.users == 1

    async def broken_off(profile: Profile) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(session, "tune", broken_off)
    with pytest.raises(asyncio.CancelledError):
        await parts.sessions.tune(session.session_id, {"vad": {"sensitivity": 0.1}})
    assert desk.users == 1
