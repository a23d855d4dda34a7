"""A microphone of this machine, through PortAudio."""

import difflib
import threading
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from backend.hearing import RATE
from backend.hearing.ears import Inlet
from backend.sources import SourceError

BLOCK = 0.032
"""Seconds of sound PortAudio gives at a time."""
MOST_CHANNELS = 2
"""Channels asked of a device that can't give one, before asking for all."""


@dataclass(frozen=True)
class Device:
    """An input device."""

    id: int
    name: str
    channels: int
    sample_rate: int
    """Samples a second that it prefers."""
    default: bool


class Microphone:
    """An input device: 16 kHz mono where it can, else as it comes."""

    def __init__(self, device: int | str | None = None) -> None:
        """Name a device.

        Args:
            device: its id, its name or a part of the name; None is the system's default.

        """
        self.name = "microphone"
        self.device: str | None = None
        self.rate = RATE
        self.channels = 1
        self.overruns = 0
        """Blocks before which PortAudio lost some sound."""
        self._wanted = device
        self._id = 0
        self._stream: Any = None
        self._inlet: Inlet | None = None
        self._changing = threading.Lock()

    def open(self) -> None:
        """Find the device, and how it gives its sound. Raises `SourceError`."""
        found = find(self._wanted)
        self.device, self._id = found.name, found.id
        for rate, channels in _ways(found):
            if _takes(found.id, rate, channels):
                self.rate, self.channels = rate, channels
                return
        raise SourceError(
            f"the microphone {found.name!r} can't be opened at {found.sample_rate} Hz: is another "
            "program holding it? stt-server devices lists the others"
        )

    def start(self, inlet: Inlet) -> None:
        """Begin to listen. Raises `SourceError`."""
        sounddevice = _sounddevice()
        self._inlet = inlet
        try:
            self._stream = sounddevice.InputStream(
                samplerate=self.rate,
                blocksize=round(self.rate * BLOCK),
                device=self._id,
                channels=self.channels,
                dtype="int16",
                callback=self._hear,
                finished_callback=self._gone,
            )
            self._stream.start()
        except (sounddevice.PortAudioError, ValueError) as error:
            self._let_go()
            raise SourceError(
                f"the microphone {self.device!r} can't be opened: {error}; is it plugged in, and "
                "may this program use it?"
            ) from error

    def stop(self) -> None:
        """Listen no more and let go of the device."""
        if self._inlet:
            self._inlet.end()
        self._let_go()

    def _let_go(self) -> None:
        with self._changing:
            stream, self._stream = self._stream, None
        if stream:
            # stop() would wait for ever for a device that delivers nothing any more.
            stream.abort(ignore_errors=True)
            stream.close(ignore_errors=True)

    def _hear(self, sound: npt.NDArray[np.int16], count: int, when: Any, status: Any) -> None:
        """Queue a block. Called on PortAudio's own thread, which must never wait."""
        if status.input_overflow:
            self.overruns += 1
        if self._inlet:
            self._inlet.offer(sound.copy())

    def _gone(self) -> None:
        """Tell that PortAudio gives no more. If somebody stopped it, the inlet has ended."""
        if self._inlet:
            self._inlet.end(
                SourceError(
                    f"the microphone {self.device!r} is gone: plug it in again, or choose another "
                    "with audio.device, then start again"
                )
            )


def devices() -> list[Device]:
    """Return the input devices. Raises `SourceError` where there is no audio system."""
    sounddevice = _sounddevice()
    try:
        default = sounddevice.default.device[0]
        listed = list(enumerate(sounddevice.query_devices()))
    except sounddevice.PortAudioError as error:
        raise SourceError(f"the audio system doesn't answer: {error}") from error
    return [
        Device(
            number,
            told["name"],
            told["max_input_channels"],
            round(told["default_samplerate"]),
            number == default,
        )
        for number, told in listed
        if told["max_input_channels"] > 0
    ]


def find(wanted: int | str | None) -> Device:
    """Return the device of that id or name, or the default one. Raises `SourceError`."""
    found = devices()
    if not found:
        raise SourceError(
            "there is no microphone: plug one in or, on a machine without, stream sound to "
            "/api/v1/audio or set audio.source to file:PATH"
        )
    if wanted is None:
        return next((device for device in found if device.default), found[0])
    text = str(wanted).casefold()
    exact = [device for device in found if text in {str(device.id), device.name.casefold()}]
    part = [device for device in found if text in device.name.casefold()]
    if exact or len(part) == 1:
        return (exact or part)[0]
    names = {device.name: f"{device.id}: {device.name}" for device in found}
    near = difflib.get_close_matches(str(wanted), names, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    what = "is more than one" if part else "is none"
    raise SourceError(
        f"audio.device {wanted!r} {what} of the input devices ({', '.join(names.values())}){hint}"
    )


def _ways(device: Device) -> list[tuple[int, int]]:
    """Rates and channels to try, the best first."""
    few = min(device.channels, MOST_CHANNELS)
    return [(RATE, 1), *((device.sample_rate, channels) for channels in (1, few, device.channels))]


def _takes(number: int, rate: int, channels: int) -> bool:
    sounddevice = _sounddevice()
    try:
        sounddevice.check_input_settings(number, channels, "int16", samplerate=rate)
    except (sounddevice.PortAudioError, ValueError):
        return False
    return True


def _sounddevice() -> ModuleType:
    try:
        import sounddevice
    except (ImportError, OSError) as error:
        raise SourceError(
            f"microphones need PortAudio ({error}): apt install libportaudio2, brew install "
            "portaudio, or pip install sounddevice"
        ) from error
    module: ModuleType = sounddevice
    return module
