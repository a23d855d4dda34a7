"""The microphone: a real virtual one where PulseAudio is, and devices made up."""

import ctypes.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from backend.hearing import RATE
from backend.sources import SourceError, microphone
from backend.sources.microphone import Device, Microphone, devices, find
from tests.backend.sources.recorder import Recorder
from tests.virtual_microphone import VirtualMicrophone

PITCH = 1000

needs_portaudio = pytest.mark.skipif(
    not ctypes.util.find_library("portaudio"), reason="PortAudio is not installed"
)


@pytest.fixture
def plugged(
    virtual_microphone: VirtualMicrophone, monkeypatch: pytest.MonkeyPatch
) -> Iterator[VirtualMicrophone]:
    """The virtual microphone, known to this process's PortAudio."""
    import sounddevice

    for name, value in virtual_microphone.environment.items():
        monkeypatch.setenv(name, value)
    _look_again(sounddevice)
    yield virtual_microphone
    monkeypatch.undo()
    _look_again(sounddevice)


def _look_again(sounddevice: ModuleType) -> None:
    sounddevice._terminate()
    sounddevice._initialize()


def tone(path: Path) -> Path:
    time = np.arange(RATE) / RATE
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * PITCH * time), RATE)
    return path


def has_tone(recorder: Recorder) -> bool:
    """Was a half second of the tone, and little else, heard at any time?"""
    window = RATE // 2
    sound = recorder.sound[:, 0].astype(float)
    for begin in range(0, len(sound) - window, window // 8):
        piece = sound[begin : begin + window]
        if np.abs(piece).max() > 1000 and np.argmax(np.abs(np.fft.rfft(piece))) == PITCH // 2:
            return True
    return False


@needs_portaudio
def test_what_is_played_arrives(plugged: VirtualMicrophone, tmp_path: Path) -> None:
    source = Microphone()
    source.open()
    assert (source.rate, source.channels) == (RATE, 1)
    assert source.device
    with Recorder() as recorder:
        source.start(recorder.inlet)
        recorder.wait_until(lambda: bool(recorder.blocks))
        plugged.play(tone(tmp_path / "tone.wav"))
        recorder.wait_until(lambda: has_tone(recorder))
        source.stop()
        recorder.wait_for_the_end()
    assert recorder.fault is None
    assert recorder.sound.dtype == np.int16


@needs_portaudio
@pytest.mark.parametrize("accident", ["unplug", "kill"])
def test_a_microphone_that_vanishes_is_told(plugged: VirtualMicrophone, accident: str) -> None:
    source = Microphone()
    source.open()
    with Recorder() as recorder:
        source.start(recorder.inlet)
        recorder.wait_until(lambda: bool(recorder.blocks))
        getattr(plugged, accident)()
        recorder.wait_for_the_end()
        source.stop()
    assert isinstance(recorder.fault, SourceError)
    assert "is gone" in str(recorder.fault)


@needs_portaudio
def test_a_microphone_can_be_started_again(plugged: VirtualMicrophone) -> None:
    source = Microphone("pulse")
    for _ in range(2):
        source.open()
        with Recorder() as recorder:
            source.start(recorder.inlet)
            recorder.wait_until(lambda: bool(recorder.blocks))
            source.stop()
            source.stop()
            recorder.wait_for_the_end()
        assert recorder.fault is None


@needs_portaudio
def test_devices_are_listed_and_one_is_the_default(plugged: VirtualMicrophone) -> None:
    found = devices()
    assert "pulse" in [device.name for device in found]
    assert sum(device.default for device in found) == 1
    assert all(device.channels > 0 and device.sample_rate > 0 for device in found)


class PortAudioError(Exception):
    pass


class Stream:
    """What sounddevice would give; the test plays PortAudio."""

    failing = False

    def __init__(self, **how: Any) -> None:
        self.how = how
        self.calls: list[str] = []

    def start(self) -> None:
        if self.failing:
            raise PortAudioError("Device unavailable")

    def abort(self, ignore_errors: bool) -> None:
        self.calls.append("abort")
        self.how["finished_callback"]()

    def close(self, ignore_errors: bool) -> None:
        self.calls.append("close")


def described(name: str, channels: int, rate: float = 48_000) -> dict[str, Any]:
    return {"name": name, "max_input_channels": channels, "default_samplerate": rate}


class Fake(ModuleType):
    """A sounddevice with devices made up, of which 16 kHz suits only the first."""

    PortAudioError = PortAudioError

    def __init__(self) -> None:
        super().__init__("sounddevice")
        self.default = SimpleNamespace(device=[1, 0])
        self.listed = [
            described("Speakers", 0),
            described("Built-in Microphone", 1),
            described("USB Audio: Front", 2, 44_100.0),
            described("USB Audio: Rear", 8, 96_000.0),
        ]
        self.streams: list[Stream] = []
        self.only_rate: int | None = None
        self.only_channels: int | None = None

    def query_devices(self) -> list[dict[str, Any]]:
        return self.listed

    def check_input_settings(self, device: int, channels: int, dtype: str, samplerate: int) -> None:
        if self.only_rate not in {None, samplerate} or self.only_channels not in {None, channels}:
            raise PortAudioError("Invalid sample rate")

    def InputStream(self, **how: Any) -> Stream:  # noqa: N802
        self.streams.append(Stream(**how))
        return self.streams[-1]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    made = Fake()
    monkeypatch.setitem(sys.modules, "sounddevice", made)
    return made


def test_only_inputs_are_listed(fake: Fake) -> None:
    assert devices()[0] == Device(1, "Built-in Microphone", 1, 48_000, default=True)
    assert [device.id for device in devices()] == [1, 2, 3]


@pytest.mark.parametrize(
    ("wanted", "number"),
    [(None, 1), (3, 3), ("3", 3), ("built-in microphone", 1), ("Rear", 3), ("front", 2)],
)
def test_a_device_is_found(fake: Fake, wanted: int | str | None, number: int) -> None:
    assert find(wanted).id == number


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ("USB", "is more than one of .*2: USB Audio: Front, 3: USB Audio: Rear"),
        (0, "is none of"),
        (17, "is none of"),
        ("Built-in Mircophone", "did you mean 'Built-in Microphone'"),
    ],
)
def test_a_device_that_is_not_clear_is_refused(fake: Fake, wanted: int | str, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        Microphone(wanted).open()


def test_a_machine_without_microphone_is_told_what_else_it_can_do(fake: Fake) -> None:
    fake.listed = [described("Speakers", 0)]
    with pytest.raises(SourceError, match=r"there is no microphone.*audio\.source"):
        Microphone().open()


def test_a_device_that_knows_no_16_khz_is_heard_at_its_own_rate(fake: Fake) -> None:
    fake.only_rate = 44_100
    source = Microphone("front")
    source.open()
    assert (source.rate, source.channels, source.device) == (44_100, 1, "USB Audio: Front")


def test_a_device_that_gives_all_its_channels_or_none_gives_all(fake: Fake) -> None:
    fake.only_rate, fake.only_channels = 96_000, 8
    source = Microphone("rear")
    source.open()
    assert (source.rate, source.channels) == (96_000, 8)


def test_a_device_that_takes_nothing_is_refused(fake: Fake) -> None:
    fake.only_rate = 1
    with pytest.raises(SourceError, match="can't be opened"):
        Microphone().open()


def test_a_device_that_does_not_start_is_let_go(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stream, "failing", True)
    source = Microphone()
    source.open()
    with Recorder() as recorder, pytest.raises(SourceError, match="Device unavailable"):
        source.start(recorder.inlet)
    assert fake.streams[0].calls == ["abort", "close"]


def test_blocks_are_copied_and_what_portaudio_lost_is_counted(fake: Fake) -> None:
    source = Microphone()
    source.open()
    with Recorder() as recorder:
        source.start(recorder.inlet)
        buffer = np.full((512, 1), 7, np.int16)
        hear = fake.streams[0].how["callback"]
        hear(buffer, 512, None, SimpleNamespace(input_overflow=False))
        buffer[:] = 9
        hear(buffer, 512, None, SimpleNamespace(input_overflow=True))
        source.stop()
        recorder.wait_for_the_end()
    assert source.overruns == 1
    assert [int(block[0, 0]) for block in recorder.blocks] == [7, 9]
    assert recorder.fault is None


@pytest.mark.parametrize("error", [OSError("PortAudio library not found"), None])
def test_a_missing_portaudio_is_told_with_its_cure(
    error: OSError | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Absent:
        @staticmethod
        def find_spec(name: str, *_: Any) -> None:
            if name == "sounddevice":
                raise error or ImportError("No module named sounddevice")

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Absent, *sys.meta_path])
    with pytest.raises(SourceError, match="apt install libportaudio2, brew install"):
        microphone.devices()
