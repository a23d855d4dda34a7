"""How the sound of one session is: heard, silent, gone. What is wrong has words and a cure."""

import sys

from backend.hearing.news import FellSilent, Lost, News, Overran, Returned, Sounded
from common.events import AudioStatus, Error

MACOS = (
    "macOS gives zeros to programs that may not use the microphone. Allow the program that "
    "the server was started from (Terminal, iTerm) in System Settings → Privacy & Security → "
    "Microphone, and start the server from there again; launchd and ssh can't be allowed, and get "
    "zeros always. If it is allowed: is the microphone muted, or audio.device the wrong one?"
)
LINUX = (
    "Is it muted? Unmute it with `pactl set-source-mute @DEFAULT_SOURCE@ 0`, or in the Capture "
    "view (F4) of alsamixer. Or is it the wrong device? `stt-server devices` lists them, "
    "audio.device chooses."
)
ELSEWHERE = (
    "Is it muted, or may this program not use it? Or is it the wrong device? `stt-server devices` "
    "lists them, audio.device chooses."
)


def cure(platform: str = sys.platform) -> str:
    """Return what helps against digital silence."""
    return {"darwin": MACOS, "linux": LINUX}.get(platform, ELSEWHERE)


class Sound:
    """Lives on the event loop."""

    def __init__(self, device: str | None, channel: int | None) -> None:
        """Begin with a device, listening to one of its channels or to all."""
        self._device = device
        self._channel = channel
        self._silent = False
        self._gone = False
        self._fault: str | None = None
        self._level: float | None = None

    def measure(self, rms_dbfs: float) -> None:
        """Take the level of now."""
        self._level = round(rms_dbfs, 1)

    def status(self) -> AudioStatus:
        """Return how it is now; before any sound it isn't known whether it is silent."""
        return AudioStatus(
            device=self._device,
            level_dbfs=self._level,
            silent=None if self._level is None and not self._gone else self._silent,
            gone=self._gone,
            fault=self._fault,
        )

    def take(self, news: News) -> Error | None:
        """Know what has happened; return what is to be told of it, if it is a fault."""
        match news:
            case Lost(details=details):
                self._gone, self._silent, self._fault = True, False, details
                self._level = None
                return Error(error="Microphone gone", details=details)
            case FellSilent():
                self._silent, self._fault = True, self._why_silent()
                return Error(error="Only digital silence", details=self._fault)
            case Overran():
                return Error(error="Sound lost", details=_how_lost(news))
            case Returned(device=device):
                self._device, self._gone, self._fault = device, False, None
            case Sounded():
                self._silent, self._fault = False, None
        return None

    def _why_silent(self) -> str:
        only = f", of which only channel {self._channel} is heard" if self._channel else ""
        return f"the microphone {self._device!r}{only} gives nothing but zeros. {cure()}"


def _how_lost(news: Overran) -> str:
    lost = []
    if news.blocks:
        times = "once" if news.blocks == 1 else f"{news.blocks} times"
        lost.append(f"the audio system lost sound of the microphone {times}")
    if news.seconds:
        lost.append(f"{news.seconds:.1f} s of its sound found no room")
    return f"{' and '.join(lost)}: this machine is too busy to take it in time"
