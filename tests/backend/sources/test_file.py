"""Sound files as sources."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from backend.sources import SourceError, finite
from backend.sources.file import FileSource
from tests.backend.sources.recorder import PATIENCE, Recorder


def written(path: Path, seconds: float = 1.0, rate: int = 16_000, channels: int = 1) -> Path:
    """Write noise, which no codec shortens to nothing."""
    noise = np.random.default_rng(1).normal(0, 0.1, (round(seconds * rate), channels))
    soundfile.write(path, noise.clip(-1, 1), rate)
    return path


def played(path: Path, paced: bool = False) -> Recorder:
    """Return what was heard of the whole file."""
    source = FileSource(path, paced)
    source.open()
    with Recorder() as recorder:
        source.start(recorder.inlet)
        recorder.wait_for_the_end()
        source.stop()
    return recorder


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "aiff"])
@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (44_100, 2), (8000, 1)])
def test_any_format_rate_and_channels_are_heard_whole(
    suffix: str, rate: int, channels: int, tmp_path: Path
) -> None:
    path = written(tmp_path / f"sound.{suffix}", rate=rate, channels=channels)
    source = FileSource(path, paced=False)
    source.open()
    assert (source.rate, source.channels, source.device) == (rate, channels, None)
    source.stop()
    recorder = played(path)
    assert recorder.fault is None
    assert recorder.sound.shape == (rate, channels)
    expected = soundfile.read(path, dtype=recorder.sound.dtype.name, always_2d=True)[0]
    assert np.allclose(recorder.sound, expected, rtol=0, atol=1e-6)


def test_integers_stay_integers(tmp_path: Path) -> None:
    assert played(written(tmp_path / "sound.flac")).sound.dtype == np.int16


def test_the_name_tells_the_file(tmp_path: Path) -> None:
    assert FileSource(tmp_path / "a.wav").name == f"file:{tmp_path / 'a.wav'}"


def test_a_paced_file_takes_its_time(tmp_path: Path) -> None:
    began = time.monotonic()
    recorder = played(written(tmp_path / "sound.wav", seconds=0.4), paced=True)
    assert 0.39 < time.monotonic() - began < 2
    assert len(recorder.sound) == 6400


def test_a_paced_file_stops_at_once(tmp_path: Path) -> None:
    source = FileSource(written(tmp_path / "long.wav", seconds=60))
    with Recorder() as recorder:
        source.start(recorder.inlet)
        recorder.wait_until(lambda: bool(recorder.blocks))
        began = time.monotonic()
        source.stop()
        assert time.monotonic() - began < 1
        recorder.wait_for_the_end()
    assert recorder.fault is None
    assert len(recorder.sound) < 16_000 * 30


def test_a_file_that_waits_for_room_stops_at_once(tmp_path: Path) -> None:
    source = FileSource(written(tmp_path / "long.wav", seconds=10), paced=False)
    with Recorder(bound=1600) as recorder:
        recorder.inlet.hold(True)
        source.start(recorder.inlet)
        source.stop()
        recorder.wait_for_the_end()
    assert not recorder.blocks


def test_a_file_as_fast_as_it_can_be_loses_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "long.wav", seconds=20)
    source = FileSource(path, paced=False)
    with Recorder(bound=1600) as recorder:
        source.start(recorder.inlet)
        recorder.wait_for_the_end()
    assert recorder.inlet.lost == 0
    assert len(recorder.sound) == 320_000
    source.stop()


@pytest.mark.parametrize(
    ("name", "says"),
    [("missing.wav", "does not exist"), (".", "is not a file"), ("text.wav", "can't be read")],
)
def test_what_is_no_sound_file_is_refused(name: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("Not a sound.")
    with pytest.raises(SourceError, match=says):
        FileSource(tmp_path / name).open()
    with Recorder() as recorder, pytest.raises(SourceError, match=says):
        FileSource(tmp_path / name).start(recorder.inlet)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "aiff"])
def test_what_is_left_of_a_truncated_file_is_heard_and_its_end_told(
    suffix: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / f"sound.{suffix}", seconds=20)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    recorder = played(path)
    assert isinstance(recorder.fault, SourceError)
    assert "breaks off" in str(recorder.fault)
    assert 60_000 < len(recorder.sound) < 200_000


@pytest.mark.parametrize("length", [0xFFFF_FFFF, 0x7FFF_FFFF, 0x7FFF_F000])
def test_a_length_that_was_never_filled_in_is_no_fault(length: int, tmp_path: Path) -> None:
    path = written(tmp_path / "streamed.wav")
    data = bytearray(path.read_bytes())
    data[40:44] = length.to_bytes(4, "little")
    path.write_bytes(data)
    recorder = played(path)
    assert recorder.fault is None
    assert len(recorder.sound) == 16_000


@pytest.mark.parametrize("whole", [True, False])
def test_a_flac_that_came_through_a_pipe_says_no_length(whole: bool, tmp_path: Path) -> None:
    path = written(tmp_path / "piped.flac", seconds=4)
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    path.write_bytes(data if whole else data[: len(data) // 2])
    recorder = played(path)
    assert (recorder.fault is None) == whole
    assert len(recorder.sound) == 64_000 if whole else 20_000 < len(recorder.sound) < 64_000


def test_what_is_no_number_is_silence(tmp_path: Path) -> None:
    sound = np.array([0.5, np.nan, np.inf, -np.inf, 7.0, -7.0], np.float32)
    soundfile.write(tmp_path / "odd.wav", sound, 16_000, subtype="FLOAT")
    assert played(tmp_path / "odd.wav").sound[:, 0].tolist() == [0.5, 0, 0, 0, 1, -1]


def test_numbers_within_bounds_are_left_as_they_are() -> None:
    sound = np.linspace(-1, 1, 7, dtype=np.float32)
    assert np.array_equal(finite(sound), sound)


def test_stopping_twice_or_before_the_start_does_no_harm(tmp_path: Path) -> None:
    source = FileSource(written(tmp_path / "sound.wav"))
    source.stop()
    source.open()
    source.stop()
    source.stop()


def test_no_thread_is_left_behind(tmp_path: Path) -> None:
    recorder = played(written(tmp_path / "sound.wav"))
    assert recorder.fault is None
    left = [thread for thread in threading.enumerate() if thread.name.startswith("file:")]
    for thread in left:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in left)
