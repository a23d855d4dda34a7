"""The process in which an engine works: ``python -m backend.engines.host CALLS CANCELS``.

`backend.engines.remote` asks over the socket of the first number, one call at a time: a tuple, the
method's name first. The answer is ``("value", …, bytes of memory)`` or ``("fault", exception)``.
Before it may come ``("progress", stage, done, total)`` and, as signs of life, ``("beat",)``.
Every byte on the socket of the second number is a cancel, heard at any time.
"""

import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from threading import Thread
from typing import Any

from backend.engines import Cancelled, Crashed, EngineError, Hosted
from backend.engines.interrupt import Interrupt

BEAT = 0.5
"""Seconds between two signs of life."""

Call = tuple[Any, ...]


class Host:
    """One engine, and the connection to who asks it."""

    def __init__(self, connection: Connection, cancels: socket.socket) -> None:
        """Make the engine that the first message names."""
        self._connection = connection
        self._cancels = cancels
        self._beaten = 0.0
        _, make, given = connection.recv()
        self._engine: Hosted = make(*given, interrupt=Interrupt(self._beat))

    def serve(self) -> None:
        """Answer until nobody asks. The engine's calls run on the thread that calls this."""
        Thread(target=self._listen, daemon=True).start()
        while True:
            name, *given = self._connection.recv()
            answer: Call
            call: Callable[..., Any] = self._load if name == "load" else getattr(self._engine, name)
            try:
                answer = ("value", call(*given), self._engine.memory())
            except (EngineError, Cancelled) as error:
                answer = ("fault", type(error)(*error.args))
            except Exception as error:
                answer = ("fault", self._crash(error))
            self._connection.send(answer)

    def _load(self) -> tuple[str, Any]:
        self._engine.load(lambda *stage: self._connection.send(("progress", *stage)))
        return self._engine.device, self._engine.abilities

    def _beat(self) -> None:
        now = time.monotonic()
        if now - self._beaten > BEAT:
            self._beaten = now
            self._connection.send(("beat",))

    def _crash(self, error: Exception) -> Crashed:
        """Return what is told of a bug, with where it was for the log."""
        crash = Crashed(f"{self._engine.name} failed: {type(error).__name__}: {error}")
        crash.add_note("".join(traceback.format_exception(error)))
        return crash

    def _listen(self) -> None:
        with suppress(OSError):
            while self._cancels.recv(64):
                self._engine.cancel()
        os._exit(0)  # Nobody asks any more, whatever is being read.


def main(calls: int, cancels: int) -> None:
    """Work until who asks has gone, and for as long as that."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        # Some send them to all processes of a service, whose last words are still to be read.
        signal.signal(number, signal.SIG_IGN)
    with suppress(EOFError, ConnectionError):
        Host(Connection(calls), socket.socket(fileno=cancels)).serve()
    os._exit(0)  # C++'s last rites of MLX may abort.


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
