"""Bytes from a client as a source."""

import asyncio
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.sources.stream import Encoding, StreamSource
from tests.backend.sources.recorder import PATIENCE, Recorder

SAMPLES = np.random.default_rng(1).integers(-32768, 32767, 4000, dtype=np.int16)


def fed(
    source: StreamSource, pieces: list[bytes], recorder: Recorder | None = None
) -> tuple[Recorder, str | None]:
    """Return what was heard of the pieces, and the warning at the end."""

    async def feed() -> str | None:
        for piece in pieces:
            assert await source.feed(piece)
        return source.end()

    with recorder or Recorder() as hearing:
        source.open()
        source.start(hearing.inlet)
        warning = asyncio.run(feed())
        hearing.wait_for_the_end()
    return hearing, warning


@given(cuts=st.lists(st.integers(0, 8000), max_size=10), channels=st.integers(1, 4))
@settings(deadline=None, max_examples=30)
def test_bytes_cut_anywhere_are_the_same_sound(cuts: list[int], channels: int) -> None:
    data = SAMPLES.astype("<i2").tobytes()
    data = data[: len(data) // (2 * channels) * 2 * channels]
    edges = [0, *sorted(cuts), len(data)]
    pieces = [data[a:b] for a, b in pairwise(edges)]
    recorder, warning = fed(StreamSource(16_000, channels, "pcm_s16le"), pieces)
    assert warning is None
    assert recorder.sound.dtype == np.int16
    assert recorder.sound.tobytes() == data


def test_floats_are_heard_and_what_is_no_number_is_silence() -> None:
    sound = np.array([0.5, -0.25, np.nan, np.inf, -np.inf, 3.0, -3.0, 0.0], "<f4")
    recorder, _ = fed(StreamSource(16_000, 1, "pcm_f32le"), [sound.tobytes()])
    assert recorder.sound[:, 0].tolist() == [0.5, -0.25, 0, 0, 0, 1, -1, 0]
    assert recorder.sound.dtype == np.float32


@pytest.mark.parametrize(
    ("encoding", "channels", "extra"),
    [("pcm_s16le", 1, 1), ("pcm_s16le", 2, 3), ("pcm_f32le", 1, 2)],
)
def test_half_a_sample_at_the_end_is_told(encoding: Encoding, channels: int, extra: int) -> None:
    source = StreamSource(16_000, channels, encoding)
    recorder, warning = fed(source, [bytes(8 * channels), bytes(extra)])
    assert warning is not None
    assert "within a sample" in warning
    assert source.leftover == extra
    assert recorder.fault is None
    assert not recorder.sound.any()


def test_megabytes_are_heard_in_small_pieces() -> None:
    data = bytes(16_000 * 2 * 60)
    recorder, _ = fed(StreamSource(16_000, 1), [data], Recorder(bound=8000))
    assert len(recorder.sound) == 960_000
    assert max(len(block) for block in recorder.blocks) <= 1600
    assert recorder.inlet.lost == 0


async def test_calls_at_the_same_time_take_turns() -> None:
    source = StreamSource(16_000)
    with Recorder(bound=1600) as recorder:
        source.start(recorder.inlet)
        ones, twos = (np.full(20_000, value, "<i2").tobytes() for value in (1, 2))
        async with asyncio.timeout(PATIENCE):
            assert all(await asyncio.gather(source.feed(ones), source.feed(twos)))
        source.end()
        await asyncio.to_thread(recorder.wait_for_the_end)
    assert np.array_equal(recorder.sound[:, 0], np.repeat([1, 2], 20_000))


async def test_what_there_is_room_for_is_taken_at_once_and_the_rest_is_fed() -> None:
    source = StreamSource(16_000)
    data = SAMPLES.astype("<i2").tobytes()
    with Recorder(bound=1600) as recorder:
        assert not source.take(b"too early")
        source.start(recorder.inlet)
        recorder.inlet.hold(True)
        assert source.take(data[:1]), "half a sample needs no room"
        assert not source.take(data[1:100])
        feeding = asyncio.create_task(source.feed(data[1:999]))
        await asyncio.sleep(0)
        assert not source.take(data[999:])
        recorder.inlet.hold(False)
        async with asyncio.timeout(PATIENCE):
            assert await feeding
        assert source.leftover == 1
        assert source.take(data[999:2000])
        assert not source.take(data[2000:]), "megabytes are fed in pieces"
        async with asyncio.timeout(PATIENCE):
            assert await source.feed(data[2000:])
        source.end()
        assert not source.take(b"too late")
        await asyncio.to_thread(recorder.wait_for_the_end)
    assert recorder.sound.tobytes() == data


async def test_feeding_after_the_end_is_answered() -> None:
    source = StreamSource(16_000)
    with Recorder() as recorder:
        source.start(recorder.inlet)
        source.stop()
        assert not await source.feed(bytes(100))
        source.stop()


async def test_feeding_before_the_start_is_a_mistake() -> None:
    with pytest.raises(RuntimeError, match="not been started"):
        await StreamSource(16_000).feed(b"\0\0")


def test_the_reason_of_the_end_is_passed_on() -> None:
    source, fault = StreamSource(16_000, name="upload"), ConnectionError("broke off")
    with Recorder() as recorder:
        source.start(recorder.inlet)
        assert source.end(fault) is None
        recorder.wait_for_the_end()
    assert recorder.fault is fault
    assert source.name == "upload"
