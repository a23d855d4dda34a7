"""``stt-server service``: the server as something that the system starts and keeps running.

launchd does so on macOS, systemd on Linux. What they read is made by pure functions; what they are
told, they are told through their own programs.
"""

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from backend.settings import Settings

MARK = "Written by stt-server service install"
"""Stands in every file of ours, by which it is known again."""
FINISHING = 5
"""Seconds that a server has to end, beyond those that it gives speech in progress."""
REFUSED = 2
"""The exit code for settings that can't be: starting again doesn't help."""

Run = Callable[[Sequence[str]], int]


class ServiceError(Exception):
    """It could not be done. The text says why, and what helps."""


@dataclass(frozen=True, slots=True)
class File:
    """What is written for the system to read."""

    path: Path
    text: str
    mode: int = 0o644
    shown: str | None = None
    """The text without what is secret; None where nothing is."""

    def is_ours(self) -> bool:
        """Whether what lies there, if anything does, was written by us."""
        try:
            return MARK in self.path.read_text(errors="replace")
        except FileNotFoundError:
            return True

    def write(self) -> None:
        """Put it in its place, never readable by more than are meant to. Raises `OSError`."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_name(self.path.name + ".new")
        fresh.unlink(missing_ok=True)
        fresh.touch(mode=0o600)
        fresh.write_text(self.text)
        fresh.chmod(self.mode)
        fresh.replace(self.path)


class Keeper(Protocol):
    """Who starts the server and keeps it running. All but `files` raise `ServiceError`."""

    advice: str
    """What is good to know after an install."""

    def check(self, *, installing: bool = False) -> None:
        """See whether it is there and may be told, and could start what is installed."""

    def files(self, settings: Settings, variables: dict[str, str]) -> list[File]:
        """Return what has to be written: the service first, then what it needs."""

    def places(self) -> list[Path]:
        """Return where those files are."""

    def prepare(self, settings: Settings) -> None:
        """Make the folders that it needs to start. Raises `OSError`."""

    def start(self) -> None:
        """Start what was written, now and from now on; one that runs is replaced."""

    def stop(self) -> None:
        """Stop it, now and from now on."""

    def forget(self) -> None:
        """Learn that the files are gone."""

    def status(self) -> int:
        """Print how it does; return the exit code of who was asked."""

    def logs(self, lines: int, *, follow: bool) -> int:
        """Print the end of its log; return the exit code of who was asked."""


def starter() -> list[str]:
    """Return what starts this very server."""
    script = Path(sys.executable).with_name("stt-server")
    return [str(script)] if script.is_file() else [sys.executable, "-m", "backend"]


def run(arguments: Sequence[str]) -> int:
    """Run a program of the system's; return its exit code. Raises `ServiceError`."""
    try:
        return subprocess.run(arguments, check=False).returncode
    except FileNotFoundError:
        raise ServiceError(f"{arguments[0]} is not on this machine") from None
    except KeyboardInterrupt:
        return 0  # The end of following a log.


def told(run: Run, *arguments: str) -> None:
    """Run a program that has to succeed. Raises `ServiceError`."""
    if code := run(arguments):
        raise ServiceError(f"{' '.join(arguments)} failed with {code}; what it said is above")
