"""A PortAudio with devices made up; the test plays the sound system."""

import sys
import threading
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest


class PortAudioError(Exception):
    pass


class Stream:
    """What sounddevice would give; the test plays PortAudio."""

    failing = False

    def __init__(self, **how: Any) -> None:
        self.how = how
        self.calls: list[str] = []
        self.closed = threading.Event()

    def give(self, *samples: int, overflow: bool = False) -> None:
        """Deliver a block of two rows of these channels."""
        self.how["callback"](
            np.array([samples, samples], np.int16),
            2,
            None,
            SimpleNamespace(input_overflow=overflow),
        )

    def start(self) -> None:
        if self.failing:
            raise PortAudioError("Device unavailable")

    def abort(self, ignore_errors: bool) -> None:
        self.calls.append("abort")
        self.how["finished_callback"]()

    def close(self, ignore_errors: bool) -> None:
        self.calls.append("close")
        self.closed.set()


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
        self.looks = 0
        self.only_rate: int | None = None
        self.only_channels: int | None = None

    def _terminate(self) -> None:
        assert all("close" in stream.calls for stream in self.streams)

    def _initialize(self) -> None:
        self.looks += 1

    def query_devices(self, number: int | None = None) -> Any:
        return self.listed if number is None else self.listed[number]

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
