"""PortAudio, which is one for the whole process and not made for two threads at a time.

No call of it is waited for without end.

It looks for devices when it is initialized, and never again. Initializing it anew is how those
that came since are found; that is only legal while no stream is open.
"""

import difflib
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any, TypeVar

from backend.sources import SourceError

log = logging.getLogger(__name__)

Value = TypeVar("Value")

PATIENCE = 10.0
"""Seconds for which an earlier call of PortAudio is waited for."""
STUCK = 20.0
"""Seconds after which a call is taken never to come back: a wireless microphone takes a few."""
PARTING = 3.0
"""The same, for letting go of a stream."""


class Stuck(SourceError):
    """The audio system doesn't come back from a call; no other can be made meanwhile."""


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
    return _patiently(_devices)


def _devices() -> list[Device]:
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
    return _patiently(lambda: _takes(device, rate, channels))


def _takes(device: Device, rate: int, channels: int) -> bool:
    with portaudio() as sounddevice:
        try:
            sounddevice.check_input_settings(device.id, channels, "int16", samplerate=rate)
        except (sounddevice.PortAudioError, ValueError):
            return False
    return True


def open_stream(device: Device, **how: Any) -> Any:
    """Return an input stream of a device that runs. Raises `SourceError`."""
    return _patiently(lambda: _open_stream(device, how), too_late=_close)


def _open_stream(device: Device, how: dict[str, Any]) -> Any:
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
                _close(stream)
            raise SourceError(str(error)) from error
    return stream


def close_stream(stream: Any) -> None:
    """Let go of a stream, dead or alive.

    One that the library doesn't come back from is left behind, with the thread that waits for it.
    """
    with suppress(Stuck):
        _patiently(lambda: _close(stream), seconds=PARTING)


def _close(stream: Any) -> None:
    with _turn:
        # stop() would wait for ever for a device that delivers nothing any more.
        stream.abort(ignore_errors=True)
        stream.close(ignore_errors=True)
        _open.discard(stream)


def _patiently(
    call: Callable[[], Value],
    seconds: float | None = None,
    too_late: Callable[[Value], None] | None = None,
) -> Value:
    """Return what a call gives. Raises `Stuck` if it doesn't come back.

    PortAudio, and what is under it, may hang while a device or a sound server goes: what waits
    for it then is a thread of its own, which keeps neither a session nor the process from ending.

    Args:
        call: made on that thread.
        seconds: for which it is waited for; None for `STUCK`.
        too_late: gets what it gives after that, if it does.

    """
    answer: Future[Value] = Future()
    threading.Thread(target=_answer, args=(call, answer), name="portaudio", daemon=True).start()
    try:
        return answer.result(STUCK if seconds is None else seconds)
    except TimeoutError:
        log.warning("the audio system hangs: a thread is left behind that waits for it")
        if too_late:
            answer.add_done_callback(partial(_give_late, too_late))
        raise Stuck("the audio system doesn't answer: it hangs in a call") from None


def _answer(call: Callable[[], Value], answer: "Future[Value]") -> None:
    try:
        answer.set_result(call())
    except BaseException as error:
        answer.set_exception(error)


def _give_late(take: Callable[[Value], None], answer: "Future[Value]") -> None:
    if not answer.exception():
        take(answer.result())


@contextmanager
def portaudio() -> Iterator[ModuleType]:
    """Have PortAudio to oneself. Raises `SourceError` where it is missing or stuck."""
    if not _turn.acquire(timeout=PATIENCE):
        raise Stuck(
            "the audio system doesn't answer, an earlier call hangs: restart stt-server if it lasts"
        )
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
