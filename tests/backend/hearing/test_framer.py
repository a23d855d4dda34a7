"""Blocks of any kind become frames."""

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.hearing import FRAME, RATE, Block, Samples
from backend.hearing.framer import QUALITY, Framer


def tone(rate: float, seconds: float, pitch: float = 440) -> Block:
    time = np.arange(round(rate * seconds)) / rate
    return (0.5 * np.sin(2 * np.pi * pitch * time)).astype(np.float32)[:, np.newaxis]


def framed(framer: Framer, sound: Block, sizes: list[int]) -> Samples:
    """Return all frames joined, from blocks of these sizes in turn."""
    frames: list[Samples] = []
    begin, turn = 0, 0
    while begin < len(sound):
        size = sizes[turn % len(sizes)]
        frames += framer.frames(sound[begin : begin + size])
        begin, turn = begin + size, turn + 1
    frames += framer.drain()
    assert all(frame.shape == (FRAME,) and frame.dtype == np.int16 for frame in frames)
    return np.concatenate([*frames, np.empty(0, np.int16)])


@given(
    sizes=st.lists(st.integers(1, 3000), min_size=1, max_size=5),
    count=st.integers(0, 5000),
)
@settings(deadline=None)
def test_sound_of_our_own_kind_is_only_cut(sizes: list[int], count: int) -> None:
    sound = np.random.default_rng(count).integers(-32768, 32767, (count, 1), dtype=np.int16)
    frames = framed(Framer(RATE, 1), sound, sizes)
    assert len(frames) == -(-count // FRAME) * FRAME
    assert np.array_equal(frames[:count], sound[:, 0])
    assert not frames[count:].any()


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000, 7350.5, 96000])
@pytest.mark.parametrize("size", [37, 480, 10_000])
def test_a_stream_resampled_is_the_whole_resampled(rate: float, size: int) -> None:
    sound = tone(rate, 1.3)
    expected = soxr.resample(sound[:, 0], rate, RATE, quality=QUALITY)
    frames = framed(Framer(rate, 1), sound, [size])
    assert 0 <= len(frames) - len(expected) < FRAME + 2
    together = min(len(frames), len(expected))
    assert np.abs(frames[:together] / 32768 - expected[:together]).max() < 1e-3


def test_channels_are_mixed() -> None:
    left, right = np.full(FRAME, 1000, np.int16), np.full(FRAME, 3000, np.int16)
    (frame,) = Framer(RATE, 2).frames(np.stack([left, right], axis=1))
    assert set(frame) == {2000}


def test_gain_makes_it_louder_and_clips() -> None:
    block = np.array([[100], [-100], [20_000], [-20_000]] * (FRAME // 4), np.int16)
    (frame,) = Framer(RATE, 1, gain=3).frames(block)
    assert list(frame[:4]) == [300, -300, 32767, -32768]


def test_full_scale_floats_do_not_wrap() -> None:
    block = np.tile(np.array([[1.0], [-1.0]], np.float32), (FRAME // 2, 1))
    (frame,) = Framer(RATE, 1).frames(block)
    assert set(frame) == {32767, -32768}


@pytest.mark.parametrize("rate", [RATE, 44_100])
def test_a_drained_framer_begins_anew(rate: int) -> None:
    framer, sound = Framer(rate, 1), tone(rate, 0.5)
    assert np.array_equal(framed(framer, sound, [1000]), framed(framer, sound, [1000]))


def test_nothing_makes_no_frame() -> None:
    framer = Framer(44_100, 2)
    assert list(framer.frames(np.empty((0, 2), np.int16))) == []
    assert list(framer.drain()) == []


@pytest.mark.parametrize(("rate", "channels"), [(0, 1), (-8000, 1), (16_000, 0)])
def test_what_is_no_sound_is_refused(rate: int, channels: int) -> None:
    with pytest.raises(ValueError, match="is no sound"):
        Framer(rate, channels)
