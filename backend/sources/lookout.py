"""Looks for a microphone in a process of its own.

PortAudio and the libraries under it write to standard error whatever they don't find, and may
hang or crash while a device comes or goes: all of that stays in here. The process ends with 0 as
soon as the device has given sound, and with its parent.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import threading

from backend.sources import SourceError
from backend.sources.portaudio import Stuck
from backend.sources.tap import FIRST, Mono, Tap

log = logging.getLogger(__name__)

EVERY = 1.0
"""Seconds between two looks."""


class Lookout:
    """A search under way."""

    def __init__(self, wanted: int | str | None, channel: int | None) -> None:
        """Begin to look; see `Tap` for the arguments."""
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, json.dumps([wanted, channel])],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        except OSError as error:
            log.warning("can't look for the microphone in a process of its own: %s", error)

    def wait(self) -> bool:
        """Wait until it is found; False if the search broke off.

        Where there can be no other process it is left to the caller to look.
        """
        if self._process is None:
            return True
        with self._process as process:
            return process.wait() == 0

    def end(self) -> None:
        """Look no more."""
        if self._process:
            self._process.kill()


def look(wanted: int | str | None, channel: int | None) -> bool:
    """Whether the device gives sound now. Raises `Stuck`: this process won't find it any more."""
    heard = threading.Event()

    def take(sound: Mono) -> None:
        heard.set()

    try:
        tap = Tap(wanted, channel)
        tap.open(take)
    except Stuck:
        raise
    except SourceError:
        return False
    try:
        return heard.wait(FIRST)
    finally:
        tap.close()


def _end_with_the_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


def main() -> None:
    """Look until it is found."""
    # Ctrl-C in the terminal is meant for the parent.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    wanted, channel = json.loads(sys.argv[1])
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    pause = threading.Event()
    try:
        while not look(wanted, channel):
            pause.wait(EVERY)
    except Stuck:
        os._exit(1)
    # Whatever hangs at the end of a process, such as a dying sound server, is not waited for.
    os._exit(0)


if __name__ == "__main__":
    main()
