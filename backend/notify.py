"""Telling systemd how the server does: ready, alive, leaving (sd_notify(3)).

Each is a datagram to the socket that the environment names; without one nobody is told. What says
that the server is alive comes from the event loop, so that one that is stuck is started anew.
"""

import asyncio
import logging
import os
import socket
from collections.abc import MutableMapping

log = logging.getLogger(__name__)


class Overseer:
    """Who started the server and wants to know how it does, if anyone."""

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        """Take what is ours out of the environment: processes of the server's own aren't meant."""
        name = environment.pop("NOTIFY_SOCKET", "")
        # An @ stands for the zero byte of Linux's abstract names.
        self._address = "\0" + name[1:] if name.startswith("@") else name
        self._pause = _pause(environment)

    def ready(self, where: str) -> None:
        """Tell that the server listens, and from now on that it is alive."""
        self._tell(f"READY=1\nSTATUS=listening on {where}")
        if self._address and self._pause:
            self._beat()

    def leaving(self) -> None:
        """Tell that the server finishes what it has begun, and ends."""
        self._tell("STOPPING=1\nSTATUS=finishing speech in progress")

    def _beat(self) -> None:
        self._tell("WATCHDOG=1")
        asyncio.get_running_loop().call_later(self._pause, self._beat)

    def _tell(self, state: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as plug:
                plug.setblocking(False)
                plug.sendto(state.encode(), self._address)
        except OSError as error:
            log.warning("systemd can't be told %s: %s", state.partition("\n")[0], error)


def _pause(environment: MutableMapping[str, str]) -> float:
    """Return the seconds between two signs of life, half of what is allowed; 0 for none."""
    microseconds = environment.pop("WATCHDOG_USEC", "")
    meant = environment.pop("WATCHDOG_PID", "") in {"", str(os.getpid())}
    return int(microseconds) / 2e6 if meant and microseconds.isdecimal() else 0
