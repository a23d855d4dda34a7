"""Whole recordings: all of what can be decoded is heard, and what is wrong with them is told."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

from backend.engines import Wishes
from backend.engines.desk import Desk
from backend.engines.remote import Remote
from backend.hearing import FRAME, RATE, Samples
from backend.hearing.segmenter import Segmenter
from backend.hearing.vad import make
from backend.problems import Problem
from backend.recordings import PIECE, Recording, transcribe
from common.api import Transcript
from common.profile import VadPart
from tests.backend.engines.doubles import Fragile

FORMATS = ["WAV", "FLAC", "OGG", "MP3", "AIFF"]
SECONDS = 20


def encoded(kind: str, seconds: float = SECONDS, rate: int = RATE) -> bytes:
    """Return noise, which no codec shortens to nothing, in that format."""
    noise = np.random.default_rng(1).normal(0, 0.1, round(seconds * rate))
    file = io.BytesIO()
    soundfile.write(file, noise.clip(-1, 1), rate, format=kind)
    return file.getvalue()


def without_length(flac: bytes) -> bytes:
    """Return a FLAC as a pipe gets it: its header has no number of samples."""
    data = bytearray(flac)
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    return bytes(data)


class Listener(Segmenter):
    """Keeps what it hears."""

    def __init__(self) -> None:
        super().__init__(make(VadPart(enabled=False)), VadPart(enabled=False), None)
        self.frames: list[Samples] = []

    def hear(self, frame: Samples) -> Iterator[object]:  # type: ignore[override]
        self.frames.append(frame)
        return iter(())


def heard(data: bytes) -> tuple[Recording, Listener]:
    recording, listener = Recording(io.BytesIO(data), None, 3600), Listener()
    for _ in recording.heard(listener):
        pass
    return recording, listener


@pytest.mark.parametrize("kind", FORMATS)
def test_a_whole_recording_is_heard_without_warning(kind: str) -> None:
    recording, listener = heard(encoded(kind))
    assert recording.seconds == SECONDS
    assert recording.warning is None
    assert len(listener.frames) == SECONDS * RATE // FRAME


@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_left_of_a_recording_is_heard_and_its_break_told(kind: str) -> None:
    data = encoded(kind)
    recording, listener = heard(data[: len(data) // 2])
    assert SECONDS * 0.4 < recording.seconds < SECONDS * 0.6
    assert recording.warning
    assert f"breaks off after {recording.seconds:.1f} s" in recording.warning
    assert abs(len(listener.frames) * FRAME - recording.seconds * RATE) <= FRAME


def test_a_truncated_mp3_repeats_nothing() -> None:
    data = encoded("MP3")
    _, listener = heard(data[: len(data) // 2])
    frames = [frame.tobytes() for frame in listener.frames if np.abs(frame).max() > 1000]
    assert len(set(frames)) == len(frames)


def test_as_much_of_a_truncated_flac_is_heard_as_its_blocks_give() -> None:
    data = encoded("FLAC")
    recording, _ = heard(data[: len(data) // 2])
    whole_blocks = 4096
    assert recording.seconds * RATE > (SECONDS * RATE // 2) * 0.95 - whole_blocks


def test_a_flac_that_came_through_a_pipe_is_no_broken_one() -> None:
    recording, _ = heard(without_length(encoded("FLAC")))
    assert SECONDS * RATE - recording.seconds * RATE < PIECE
    assert recording.warning is None


def test_a_flac_that_came_through_a_pipe_and_was_cut_is_told() -> None:
    data = without_length(encoded("FLAC"))
    recording, _ = heard(data[: len(data) // 2])
    assert "breaks off" in str(recording.warning)


@pytest.mark.parametrize(
    "data",
    [b"Not a sound.", encoded("FLAC")[:600], encoded("WAV")[:44], encoded("MP3")[:600]],
    ids=["text", "flac", "wav", "mp3"],
)
def test_what_gives_no_sound_at_all_is_refused_with_415(data: bytes) -> None:
    with pytest.raises(Problem, match="Send WAV") as caught:
        heard(data)
    assert caught.value.status == 415


def test_a_recording_of_no_length_is_no_broken_one() -> None:
    recording, listener = heard(encoded("WAV", seconds=0))
    assert (recording.seconds, recording.warning, listener.frames) == (0, None, [])


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    desk = Desk(Remote(Fragile))
    await asyncio.wrap_future(desk.load(lambda stage, done, total: None))
    yield desk
    assert await asyncio.to_thread(desk.close)


async def read(desk: Desk, wishes: Wishes) -> Transcript:
    recording = Recording(io.BytesIO(encoded("WAV", 3)), None, 3600)
    with ThreadPoolExecutor(1) as threads:
        return await transcribe(recording, VadPart(enabled=False), wishes, desk, threads)


async def test_an_engine_that_dies_over_a_recording_is_asked_once_more(
    desk: Desk, tmp_path: Path
) -> None:
    once = tmp_path / "once"
    once.touch()
    transcript = await read(desk, Wishes(options={"fault": "kill", "once": str(once)}))
    assert transcript.text.startswith("final of")
    assert not once.exists()


async def test_one_over_which_it_dies_twice_is_told_with_503(desk: Desk) -> None:
    with pytest.raises(Problem, match="signal 9") as problem:
        await read(desk, Wishes(options={"fault": "kill"}))
    assert problem.value.status == 503


async def test_what_the_engine_cannot_do_is_refused_as_a_mistake_of_the_asker(desk: Desk) -> None:
    with pytest.raises(Problem, match="Klingon") as problem:
        await read(desk, Wishes(language="tlh"))
    assert problem.value.status == 400
