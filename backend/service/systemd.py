"""systemd: a unit of the user's, or one of the system's with a user of its own."""

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from backend.engines.models import cache_folder
from backend.service import FINISHING, MARK, REFUSED, File, Run, ServiceError, run, starter, told
from backend.service.variables import environment_file, masked
from backend.settings import APP, Settings, variable

UNIT = "stt-server.service"
BOOTED = Path("/run/systemd/system")
"""There where systemd runs the machine (sd_booted(3))."""
ALIVE = 30
"""Seconds without a sign of life from the event loop, after which the server is started anew."""

# Left out on purpose: MemoryDenyWriteExecute, which takes the microphone (callbacks of cffi) and
# word times (numba) away, and PrivateDevices, which takes the microphone.
EVERYONES = {
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "PrivateTmp": "yes",
    "LockPersonality": "yes",
    "RestrictNamespaces": "yes",
    "RestrictSUIDSGID": "yes",
    "RestrictAddressFamilies": "AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "SystemCallArchitectures": "native",
    "SystemCallFilter": "@system-service",
    "SystemCallErrorNumber": "EPERM",
    "UMask": "0077",
}
"""What any unit may give up. File systems only as far as a user's systemd can make namespaces."""
SYSTEMS = {
    "DynamicUser": "yes",
    "SupplementaryGroups": "audio",
    "StateDirectory": APP,
    "CacheDirectory": APP,
    "ProtectHome": "read-only",
    "ProtectProc": "invisible",
    "ProtectClock": "yes",
    "ProtectControlGroups": "yes",
    "ProtectHostname": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelTunables": "yes",
    "DevicePolicy": "closed",
    "DeviceAllow": "char-alsa rw",
}
"""What wants rights to be given up, which a user's systemd lacks."""
WRITABLE = {
    variable("data_dir"): f"/var/lib/{APP}",
    variable("profiles_dir"): f"/var/lib/{APP}/profiles",
    "HF_HOME": f"/var/cache/{APP}",
}
"""The folders of the system's unit."""


def unit(
    arguments: Sequence[str],
    environment: Path,
    settings: Settings,
    writable: Iterable[Path] | None,
) -> str:
    """Return the text of a unit.

    Args:
        arguments: what starts the server.
        environment: the file with its variables.
        settings: how long it takes to end, and the port that it listens on.
        writable: the folders that a user's unit writes to; None makes one of the system's.

    """
    system = writable is None
    before = {"Wants": "network-online.target", "After": "network-online.target"}
    service = {
        "Type": "notify",
        "ExecStart": _command(arguments),
        "EnvironmentFile": _escaped(str(environment)),
        "Restart": "on-failure",
        "RestartSec": "2",
        "RestartPreventExitStatus": str(REFUSED),
        "WatchdogSec": str(ALIVE),
        "TimeoutStartSec": "120",
        "TimeoutStopSec": f"{settings.leave_seconds + FINISHING:g}",
        "KillMode": "mixed",
        "LimitNOFILE": "65536",
        **EVERYONES,
        **(SYSTEMS | _folders() | _rights(settings.port) if system else _homes(writable or ())),
    }
    sections = {
        "Unit": {
            "Description": "Realtime speech-to-text server",
            **(before if system else {"After": "pipewire.service pulseaudio.service"}),
            "StartLimitIntervalSec": "60",
            "StartLimitBurst": "5",
        },
        "Service": service,
        "Install": {"WantedBy": "multi-user.target" if system else "default.target"},
    }
    return f"# {MARK}\n" + "\n".join(_section(*section) for section in sections.items())


def _section(name: str, entries: Mapping[str, str]) -> str:
    return f"[{name}]\n" + "".join(f"{key}={value}\n" for key, value in entries.items())


def _homes(writable: Iterable[Path]) -> dict[str, str]:
    # The sound servers' sockets are in the run-time folder, %t.
    return {"ReadWritePaths": " ".join([*(_word(str(path)) for path in writable), "-%t"])}


def _folders() -> dict[str, str]:
    return {"Environment": " ".join(f"{name}={path}" for name, path in WRITABLE.items())}


def _rights(port: int) -> dict[str, str]:
    if 0 < port < 1024:
        return dict.fromkeys(("AmbientCapabilities", _BOUND), "CAP_NET_BIND_SERVICE")
    return {_BOUND: ""}


_BOUND = "CapabilityBoundingSet"


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _command(arguments: Sequence[str]) -> str:
    program, *others = map(_word, arguments)
    # Variables are put into all words but the first.
    return " ".join([program, *(word.replace("$", "$$") for word in others)])


def _word(text: str) -> str:
    """Return one word of a command line or a list of paths, whatever signs are in it."""
    text = _escaped(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"' if set(text) & set(" \t'\"\\;") else text


def _writable(settings: Settings) -> list[Path]:
    folders = (settings.data_dir, settings.profiles_dir, cache_folder())
    return [path.expanduser().absolute() for path in folders]


class Systemd:
    """systemd of the machine, or the user's own."""

    def __init__(
        self, *, system: bool, home: Path | None = None, run: Run = run, booted: Path = BOOTED
    ) -> None:
        self._system = system
        self._run = run
        self._booted = booted
        config = os.environ.get("XDG_CONFIG_HOME")
        user = Path(config) if config and not home else (home or Path.home()) / ".config"
        etc = Path("/etc")
        self._unit = (etc / "systemd/system" if system else user / "systemd/user") / UNIT
        self._environment = (etc if system else user) / APP / "service.env"
        self.advice = _SYSTEMS_ADVICE if system else _USERS_ADVICE

    def check(self, *, installing: bool = False) -> None:
        if not self._booted.is_dir():
            raise ServiceError(
                "this machine doesn't run systemd (a container?): start `stt-server serve` itself, "
                "or see the Containerfile"
            )
        if self._system and os.geteuid():
            raise ServiceError("--system wants root's rights: say it with sudo")
        if self._system and installing:
            _check_program(Path(sys.prefix), Path(sys.executable), Path(__file__))

    def files(self, settings: Settings, variables: dict[str, str]) -> list[File]:
        if self._system:
            _check_folders(variables)
        writable = None if self._system else _writable(settings)
        arguments = [*starter(), "serve"]
        return [
            File(self._unit, unit(arguments, self._environment, settings, writable)),
            File(
                self._environment,
                environment_file(variables),
                0o600,
                environment_file(masked(variables)),
            ),
        ]

    def places(self) -> list[Path]:
        return [self._unit, self._environment]

    def prepare(self, settings: Settings) -> None:
        # What a unit may write to is there when it starts; the system's makes its own.
        for folder in [] if self._system else _writable(settings):
            folder.mkdir(parents=True, exist_ok=True)

    def start(self) -> None:
        told(self._run, *self._ctl("daemon-reload"))
        told(self._run, *self._ctl("enable", UNIT))
        told(self._run, *self._ctl("restart", UNIT))

    def stop(self) -> None:
        told(self._run, *self._ctl("disable", "--now", UNIT))

    def forget(self) -> None:
        told(self._run, *self._ctl("daemon-reload"))

    def status(self) -> int:
        return self._run(self._ctl("status", "--no-pager", UNIT))

    def logs(self, lines: int, *, follow: bool) -> int:
        whose = ["--unit", UNIT] if self._system else ["--user", "--unit", UNIT]
        more = ["--follow"] if follow else ["--no-pager"]
        return self._run(["journalctl", *whose, "--lines", str(lines), *more])

    def _ctl(self, *arguments: str) -> list[str]:
        return ["systemctl", *([] if self._system else ["--user"]), *arguments]


_USERS_ADVICE = (
    "It runs while you are logged in; `loginctl enable-linger` keeps it running from boot on."
)
_SYSTEMS_ADVICE = (
    f"It runs as a user of its own: data and profiles are in /var/lib/{APP}, models in\n"
    f"/var/cache/{APP}. It hears ALSA's devices; for PipeWire or PulseAudio install it without "
    "--system."
)


def _check_folders(variables: Mapping[str, str]) -> None:
    """Raise `ServiceError` for folders that a user of the system's own could not write to."""
    if given := WRITABLE.keys() & variables.keys() - {variable("profiles_dir")}:
        raise ServiceError(
            f"a system service has folders of its own under /var: leave out {' and '.join(given)}"
        )


def _check_program(*paths: Path) -> None:
    """Raise `ServiceError` unless everyone may get at these files."""
    for path in paths:
        for folder in path.resolve().parents:
            if not folder.stat().st_mode & 0o001:
                raise ServiceError(
                    "a system service runs as a user of its own, which may not look into "
                    f"{folder}: install Realtime MLX STT where everyone may, such as under /opt"
                )
