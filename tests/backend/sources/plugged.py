"""A virtual microphone that this process's PortAudio knows, and what is heard of it."""

import ctypes.util
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from backend.hearing import RATE
from backend.hearing.news import News
from backend.sources import portaudio
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
    for name, value in virtual_microphone.environment.items():
        monkeypatch.setenv(name, value)
    _look_again()
    yield virtual_microphone
    monkeypatch.undo()
    _look_again()


def _look_again() -> None:
    with portaudio.portaudio() as sounddevice:
        sounddevice._terminate()
        sounddevice._initialize()


def tone(path: Path) -> Path:
    time = np.arange(RATE) / RATE
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * PITCH * time), RATE)
    return path


def kinds(recorder: Recorder) -> list[type[News]]:
    return [type(news) for news in recorder.news]


def has_tone(recorder: Recorder) -> bool:
    """Was a half second of the tone, and little else, heard at any time?"""
    window = RATE // 2
    sound = recorder.sound[:, 0].astype(float)
    for begin in range(0, len(sound) - window, window // 8):
        piece = sound[begin : begin + window]
        if np.abs(piece).max() > 1000 and np.argmax(np.abs(np.fft.rfft(piece))) == PITCH // 2:
            return True
    return False
