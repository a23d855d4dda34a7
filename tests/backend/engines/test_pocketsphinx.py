import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest

from backend.engines import Cancelled, Crashed, EngineError, Reading, Wishes, pocketsphinx
from backend.engines.desk import Desk
from backend.engines.pocketsphinx import PocketSphinx
from tests.backend.engines.sound import recording, silence, spoken, transcript

SOON = 100.0
WISHES = Wishes(language="en")


def quiet(stage: str, done: float, total: float | None) -> None:
    pass


@pytest.fixture(scope="module")
def engine() -> PocketSphinx:
    return PocketSphinx()


@pytest.fixture(scope="module")
def desk(engine: PocketSphinx) -> Iterator[Desk]:
    desk = Desk(engine)
    desk.load(quiet).result(SOON)
    yield desk
    assert desk.close()


@pytest.fixture
def fresh() -> Iterator[Callable[[], Desk]]:
    """Return what makes desks that have read nothing yet."""
    made: list[Desk] = []

    def make() -> Desk:
        made.append(Desk(PocketSphinx()))
        made[-1].load(quiet).result(SOON)
        return made[-1]

    yield make
    for desk in made:
        assert desk.close()


def calls(engine: PocketSphinx, monkeypatch: pytest.MonkeyPatch) -> threading.Semaphore:
    """Return a semaphore that is released as the engine asks its process something."""
    asked, exchange = threading.Semaphore(0), engine._exchange

    def tell(request: tuple[Any, ...]) -> tuple[bool, Any]:
        asked.release()
        return exchange(request)

    monkeypatch.setattr(engine, "_exchange", tell)
    return asked


def heard(future: Future[Reading]) -> Reading:
    return future.result(SOON)


@pytest.mark.parametrize("name", ["en-goforward", "en-123"])
def test_real_speech_is_read(desk: Desk, name: str):
    reading = heard(desk.final(name, recording(name), WISHES))
    wanted, got = transcript(name).lower().split(), reading.text.split()
    assert set(wanted) & set(got)
    assert reading.language == "en"
    assert reading.confidence is not None
    assert 0 < reading.confidence <= 1


def test_words_come_with_times_and_confidence_and_no_marks(desk: Desk):
    sound = recording("en-goforward")
    reading = heard(desk.final("a", sound, Wishes(words=True)))
    assert [word.text for word in reading.words] == reading.text.split()
    assert not set("<>[]()") & set(reading.text)
    ends = [0.0]
    for word in reading.words:
        assert ends[-1] <= word.start < word.end <= len(sound) / 16_000
        assert word.confidence is not None
        assert 0 <= word.confidence <= 1
        ends.append(word.end)


def test_a_final_reads_the_same_whatever_was_read_before(desk: Desk):
    sound = recording("en-goforward")
    first = heard(desk.final("a", sound, WISHES))
    heard(desk.final("b", spoken("hello world"), WISHES))
    heard(desk.partial("c", spoken("hello world"), WISHES))
    assert heard(desk.final("d", sound, WISHES)) == first


def test_partials_read_on_where_they_ended(fresh: Callable[[], Desk]):
    sound, grown, once = recording("en-goforward"), fresh(), fresh()
    texts = [heard(grown.partial("a", sound[:end], WISHES)).text for end in (12_000, 24_000, None)]
    assert texts[-1] == heard(grown.partial("a", sound, WISHES)).text
    assert texts[-1] == heard(once.partial("a", sound, WISHES)).text
    assert texts[0] != texts[-1]


@pytest.mark.parametrize("seconds", [0, 0.01, 0.6, 3])
def test_digital_silence_has_no_words(desk: Desk, seconds: float):
    assert heard(desk.final("a", silence(seconds), WISHES)) == Reading("", language="en")
    assert not heard(desk.partial("a", silence(seconds), WISHES)).text


def test_a_doubtful_reading_is_told_with_its_doubt(desk: Desk):
    reading = heard(desk.final("a", recording("ns-mic-tap"), WISHES))
    assert reading.text
    assert reading.confidence is not None
    assert reading.confidence < 0.1


@pytest.mark.parametrize(
    ("wishes", "told"),
    [
        (Wishes(language="de"), "reads English only, not 'de'"),
        (Wishes(task="translate"), "can't translate"),
    ],
)
def test_what_it_cannot_do_is_told_with_the_cure(desk: Desk, wishes: Wishes, told: str):
    with pytest.raises(EngineError, match=f"{told}.*transcription.engine to mlx_whisper"):
        heard(desk.final("a", silence(1), wishes))


def test_a_cancelled_final_stops_and_the_next_is_read(
    desk: Desk, engine: PocketSphinx, monkeypatch: pytest.MonkeyPatch
):
    sound = spoken("one two three")
    expected = heard(desk.final("a", sound, WISHES))
    begun = calls(engine, monkeypatch)
    running = desk.final("long", np.tile(sound, 60), WISHES)
    assert begun.acquire(timeout=SOON)
    desk.cancel("long")
    assert isinstance(running.exception(SOON), Cancelled)
    assert heard(desk.final("b", sound, WISHES)) == expected


def test_a_cancelled_partial_reads_on_where_it_stopped(
    fresh: Callable[[], Desk], monkeypatch: pytest.MonkeyPatch
):
    sound, desk, once = np.tile(spoken("one two three"), 4), fresh(), fresh()
    assert isinstance(desk.engine, PocketSphinx)
    begun = calls(desk.engine, monkeypatch)
    running = desk.partial("a", sound, WISHES)
    for _ in range(3):
        assert begun.acquire(timeout=SOON)
    desk.cancel("a")
    assert isinstance(running.exception(SOON), Cancelled)
    expected = heard(once.partial("a", sound, WISHES))
    assert heard(desk.partial("a", sound, WISHES)) == expected


def test_the_process_has_time_for_others_while_it_reads(desk: Desk):
    done, longest, last = threading.Event(), 0.0, time.perf_counter()
    final = desk.final("a", np.tile(spoken("one two three"), 6), WISHES)
    final.add_done_callback(lambda _: done.set())
    while not done.wait(0.001):
        longest, last = max(longest, time.perf_counter() - last), time.perf_counter()
    assert longest < 0.5


@pytest.mark.parametrize(
    ("number", "told"), [(signal.SIGKILL, "process ended"), (signal.SIGSTOP, "no sign of life")]
)
def test_a_crash_or_hang_of_its_process_costs_a_second_reading(
    desk: Desk,
    engine: PocketSphinx,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
    told: str,
):
    monkeypatch.setattr(pocketsphinx, "STALLED", 5.0)
    monkeypatch.setattr(pocketsphinx, "SLOW", 0.0)
    sound = np.tile(spoken("hello world"), 3)  # More than a pipe holds.
    assert engine._process
    os.kill(engine._process.pid, number)
    crashes: list[str] = []
    assert heard(desk.final("a", sound, WISHES, crashes.append)).text
    assert told in crashes[0]
    assert len(crashes) == 1


def test_a_hang_in_a_partial_is_told(
    desk: Desk, engine: PocketSphinx, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pocketsphinx, "STALLED", 5.0)
    assert engine._process
    os.kill(engine._process.pid, signal.SIGSTOP)
    with pytest.raises(Crashed, match="no sign of life"):
        heard(desk.partial("a", spoken("hello world"), WISHES))
    assert heard(desk.final("a", spoken("hello world"), WISHES)).text


def test_no_process_is_left_behind():
    engine = PocketSphinx()
    desk = Desk(engine)
    desk.load(quiet).result(SOON)
    process = engine._process
    assert process
    assert desk.close()
    assert process.returncode is not None
