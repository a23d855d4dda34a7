"""A microphone of this machine, through PortAudio."""

import difflib
import threading
from contextlib import suppress
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
LOOK = 0.5
"""Seconds between two looks at whether a device still delivers."""
QUIET_LOOKS = 4
"""Looks without a block after which a device is given up. Counted, not timed: a process that
was held up itself, as by Ctrl+Z, has looked no oftener for that."""
LETTING_GO = 1.0
"""Seconds that a device has to let go; one that hangs is left behind."""

_turn = threading.Lock()
_held: set[threading.Event] = set()
"""What was opened here and isn't closed yet, by the event that ends it. PortAudio lists the devices
when it is initialized and must not be again while it holds one: `_turn` is for both."""


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
        self._inlet: Inlet | None = None
        self._blocks = 0
        self._over = threading.Event()
        self._keeper: threading.Thread | None = None

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
        self._inlet, self._over = inlet, threading.Event()
        _hold(self._over)
        stream: Any = None
        fault: Exception | None = None
        try:
            stream = self._stream(sounddevice)
            stream.start()
        except (sounddevice.PortAudioError, ValueError) as error:
            fault = error
        self._keeper = threading.Thread(
            target=self._keep, args=(stream, self._over), name=self.name, daemon=True
        )
        self._keeper.start()
        if fault:
            self._let_go()
            raise SourceError(
                f"the microphone {self.device!r} can't be opened: {fault}; is it plugged in, and "
                "may this program use it?"
            ) from fault

    def stop(self) -> None:
        """Listen no more and let go of the device, or leave it behind if it hangs."""
        if self._inlet:
            self._inlet.end()
        self._let_go()

    def _stream(self, sounddevice: ModuleType) -> Any:
        listed = sounddevice.query_devices()
        if self._id >= len(listed) or listed[self._id]["name"] != self.device:
            raise ValueError("another device has taken its place")
        return sounddevice.InputStream(
            samplerate=self.rate,
            blocksize=round(self.rate * BLOCK),
            device=self._id,
            channels=self.channels,
            dtype="int16",
            callback=self._hear,
            finished_callback=self._gone,
        )

    def _let_go(self) -> None:
        self._over.set()
        if self._keeper:
            self._keeper.join(LETTING_GO)

    def _keep(self, stream: Any, over: threading.Event) -> None:
        """Watch over a stream until it is over, then close it.

        On a thread of its own: a device whose sound server died may hang there for ever.
        """
        self._wait_until_over(over)
        if stream:
            # stop() would wait for ever for a device that delivers nothing any more.
            stream.abort(ignore_errors=True)
            stream.close(ignore_errors=True)
        with _turn:
            _held.discard(over)

    def _wait_until_over(self, over: threading.Event) -> None:
        """Return when somebody stopped it, PortAudio gave it up, or it has fallen silent."""
        known, quiet = self._blocks, 0
        while not over.wait(LOOK):
            known, quiet = self._blocks, 0 if self._blocks != known else quiet + 1
            if quiet >= QUIET_LOOKS:
                self._fail(
                    "delivers no sound any more: plug it in again or restart the sound system, "
                    "then start again"
                )
                return

    def _hear(self, sound: npt.NDArray[np.int16], count: int, when: Any, status: Any) -> None:
        """Queue a block. Called on PortAudio's own thread, which must never wait."""
        self._blocks += 1
        if status.input_overflow:
            self.overruns += 1
        if self._inlet:
            self._inlet.offer(sound.copy())

    def _gone(self) -> None:
        """Tell that PortAudio gives no more. If somebody stopped it, the inlet has ended."""
        self._fail(
            "is gone: plug it in again, or choose another with audio.device, then start again"
        )
        self._over.set()

    def _fail(self, how: str) -> None:
        if self._inlet:
            self._inlet.end(SourceError(f"the microphone {self.device!r} {how}"))


def devices() -> list[Device]:
    """Return the input devices, those plugged in since the start among them.

    While one is held it is those that were there before. Raises `SourceError` where there is no
    audio system.
    """
    sounddevice = _sounddevice()
    try:
        with _turn:
            _look_again(sounddevice)
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


def _look_again(sounddevice: ModuleType) -> None:
    """Have PortAudio list the devices anew, unless one is held. Raises `PortAudioError`."""
    if not _held:
        # It isn't initialized if the last try failed.
        with suppress(sounddevice.PortAudioError):
            sounddevice._terminate()
        sounddevice._initialize()


def _hold(over: threading.Event) -> None:
    with _turn:
        _held.add(over)


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
        with _turn:
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
