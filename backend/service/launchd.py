"""launchd: an agent of the user's, on macOS.

Never a daemon: macOS gives the microphone only to what runs in a user's session.
"""

import os
import plistlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from backend.service import FINISHING, MARK, File, Run, ServiceError, run, starter, told
from backend.service.variables import masked
from backend.settings import Settings

LABEL = "local.realtime-mlx-stt"
OPEN_FILES = 8192
"""What the server may have open; launchd's own limit is 256, less than it takes connections."""


def agent(
    arguments: Sequence[str], variables: Mapping[str, str], log: Path, settings: Settings
) -> str:
    """Return the text of a property list.

    Args:
        arguments: what starts the server.
        variables: its environment.
        log: the file that its log is appended to.
        settings: how long it takes to end.

    """
    entries: dict[str, Any] = {
        "Label": LABEL,
        "ProgramArguments": list(arguments),
        "EnvironmentVariables": dict(variables),
        "RunAtLoad": True,
        # Not after it was stopped, only after it broke.
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 10,
        "ExitTimeOut": int(settings.leave_seconds) + FINISHING,
        # What listens live may not be slowed down in favor of windows.
        "ProcessType": "Interactive",
        "LimitLoadToSessionType": "Aqua",
        "SoftResourceLimits": {"NumberOfFiles": OPEN_FILES},
        "Umask": 0o077,
        "StandardOutPath": str(log),
        "StandardErrorPath": str(log),
    }
    text = plistlib.dumps(entries, sort_keys=False).decode()
    return text.replace("<plist ", f"<!-- {MARK} -->\n<plist ", 1)


class Launchd:
    """launchd of the user's session."""

    advice = (
        "The microphone: macOS asks, or gives the server zeros without a word, which its log and\n"
        "the console call digital silence. Allow the Python that runs it in System Settings →\n"
        "Privacy & Security → Microphone, then restart it: `stt-server service install` again.\n"
        "What Terminal is allowed doesn't count here. A server that only browsers, consoles and\n"
        "programs send sound to needs no permission."
    )

    def __init__(self, *, system: bool, home: Path | None = None, run: Run = run) -> None:
        """Raises `ServiceError` where the system's is asked for."""
        if system:
            raise ServiceError(
                "macOS gives a daemon of the system's no microphone: install it without --system"
            )
        library = (home or Path.home()) / "Library"
        self._plist = library / "LaunchAgents" / f"{LABEL}.plist"
        self._log = library / "Logs" / "realtime-mlx-stt.log"
        self._run = run
        self._domain = f"gui/{os.getuid()}"

    def check(self, *, installing: bool = False) -> None:
        if not os.getuid():
            raise ServiceError("an agent is a user's: say it as the user who logs in, without sudo")

    def files(self, settings: Settings, variables: dict[str, str]) -> list[File]:
        arguments = [*starter(), "serve"]
        text = agent(arguments, variables, self._log, settings)
        shown = agent(arguments, masked(variables), self._log, settings)
        # It holds keys and tokens: launchd reads no other file for them.
        return [File(self._plist, text, 0o600, shown)]

    def places(self) -> list[Path]:
        return [self._plist]

    def prepare(self, settings: Settings) -> None:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._log.touch(mode=0o600)

    def start(self) -> None:
        if self._is_loaded():
            self.stop()
        told(self._run, "launchctl", "enable", f"{self._domain}/{LABEL}")
        told(self._run, "launchctl", "bootstrap", self._domain, str(self._plist))

    def stop(self) -> None:
        told(self._run, "launchctl", "bootout", f"{self._domain}/{LABEL}")
        # bootout returns before the server has ended, and bootstrap fails until then.
        for _ in range(150):
            if not self._is_loaded():
                return
            time.sleep(0.2)

    def forget(self) -> None:
        """Nothing: the file is read only when launchd is told to."""

    def status(self) -> int:
        return self._run(["launchctl", "print", f"{self._domain}/{LABEL}"])

    def logs(self, lines: int, *, follow: bool) -> int:
        if not self._log.exists():
            raise ServiceError(f"there is no log yet at {self._log}")
        return self._run(["tail", "-n", str(lines), *(["-F"] if follow else []), str(self._log)])

    def _is_loaded(self) -> bool:
        return not self._run(["launchctl", "list", LABEL])
