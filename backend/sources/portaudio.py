"""PortAudio, which is one for the whole process and not made for two threads at a time.

It looks for devices when it is initialized, and never again. Initializing it anew is how those
that came since are found; that is only legal while no stream is open.
"""

import difflib
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from backend.sources import SourceError

PATIENCE = 10.0
"""Seconds after which an audio system that holds a call up is said not to answer."""

_turn = threading.RLock()
_open: set[Any] = set()


@dataclass(frozen=True)
class Device:
    """An input device."""

    id: int
    """Its place in the list: it changes as devices come and go."""
    name: str
    channels: int
    sample_rate: int
    """Samples a second that it prefers."""
    default: bool


def devices() -> list[Device]:
    """Return the input devices. Raises `SourceError` where there is no audio system.

    Those that came or went lately are known only if no stream is open in this process.
    """
    with portaudio() as sounddevice:
        try:
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


def find(wanted: int | str | None) -> Device:
    """Return the device of that id or name, or the default one. Raises `SourceError`.

    A name in full goes before a part of a name; of devices of one name, such as one that two audio
    systems show, the default goes first, then the lowest id.
    """
    found = devices()
    if not found:
        raise SourceError(
            "there is no microphone: plug one in or, on a machine without, stream sound to "
            "/api/v1/audio or set audio.source to file:PATH"
        )
    fitting = found if wanted is None else _fitting(wanted, found)
    if wanted is None or len({device.name for device in fitting}) == 1:
        return next((device for device in fitting if device.default), fitting[0])
    names = {device.name: device for device in found}
    near = difflib.get_close_matches(str(wanted), names, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    what = "is more than one" if fitting else "is none"
    listed = ", ".join(f"{device.id}: {device.name}" for device in found)
    raise SourceError(f"audio.device {wanted!r} {what} of the input devices ({listed}){hint}")


def _fitting(wanted: int | str, found: list[Device]) -> list[Device]:
    """Return those that fit best."""
    text = str(wanted)
    by_id = [device for device in found if str(device.id) == text]
    if by_id or isinstance(wanted, int):
        return by_id
    low = text.casefold()
    ways = (
        [device for device in found if device.name == text],
        [device for device in found if device.name.casefold() == low],
        [device for device in found if low in device.name.casefold()],
    )
    return next(filter(None, ways), [])


def takes(device: Device, rate: int, channels: int) -> bool:
    """Whether the device gives its sound so. Raises `SourceError`."""
    with portaudio() as sounddevice:
        try:
            sounddevice.check_input_settings(device.id, channels, "int16", samplerate=rate)
        except (sounddevice.PortAudioError, ValueError):
            return False
    return True


def open_stream(device: Device, **how: Any) -> Any:
    """Return an input stream of a device that runs. Raises `SourceError`."""
    with portaudio() as sounddevice:
        stream = None
        try:
            if sounddevice.query_devices(device.id)["name"] != device.name:
                raise SourceError("the devices have changed meanwhile, try again")
            stream = sounddevice.InputStream(device=device.id, **how)
            _open.add(stream)
            stream.start()
        except (sounddevice.PortAudioError, ValueError) as error:
            if stream:
                close_stream(stream)
            raise SourceError(str(error)) from error
    return stream


def close_stream(stream: Any) -> None:
    """Let go of a stream, dead or alive."""
    with _turn:
        # stop() would wait for ever for a device that delivers nothing any more.
        stream.abort(ignore_errors=True)
        stream.close(ignore_errors=True)
        _open.discard(stream)


@contextmanager
def portaudio() -> Iterator[ModuleType]:
    """Have PortAudio to oneself. Raises `SourceError` where it is missing or stuck."""
    if not _turn.acquire(timeout=PATIENCE):
        raise SourceError("the audio system doesn't answer: it holds up an earlier call")
    try:
        yield _sounddevice()
    finally:
        _turn.release()


def _look_again(sounddevice: ModuleType) -> None:
    if not _open:
        # An initialization that failed leaves nothing to terminate.
        with suppress(sounddevice.PortAudioError):
            sounddevice._terminate()
        sounddevice._initialize()


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
