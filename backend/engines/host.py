"""The process in which an engine works: ``python -m backend.engines.host FD``.

`backend.engines.remote` asks over the socket of that number, one call at a time: a tuple, the
method's name first. The answer is ``("value", …, bytes of memory)`` or ``("fault", exception)``.
Before it may come ``("progress", stage, done, total)`` and, as signs of life, ``("beat",)``.
``("cancel",)`` is heard at any time.
"""

import os
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Thread
from typing import Any

from backend.engines import Cancelled, Crashed, EngineError, Hosted
from backend.engines.interrupt import Interrupt

BEAT = 0.5
"""Seconds between two signs of life."""

Call = tuple[Any, ...]


class Host:
    """One engine, and the connection to who asks it."""

    def __init__(self, connection: Connection) -> None:
        """Make the engine that the first message names."""
        self._connection = connection
        self._beaten = 0.0
        _, make, given = connection.recv()
        self._engine: Hosted = make(*given, interrupt=Interrupt(self._beat))
        self._calls: SimpleQueue[Call] = SimpleQueue()

    def serve(self) -> None:
        """Answer for ever. The engine's calls run on the thread that calls this."""
        Thread(target=self._listen, daemon=True).start()
        while True:
            name, *given = self._calls.get()
            answer: Call
            call: Callable[..., Any] = self._load if name == "load" else getattr(self._engine, name)
            try:
                answer = ("value", call(*given), self._engine.memory())
            except (EngineError, Cancelled) as error:
                answer = ("fault", type(error)(*error.args))
            except Exception as error:
                fault = f"{self._engine.name} failed: {type(error).__name__}: {error}"
                answer = ("fault", Crashed(fault))
            self._connection.send(answer)

    def _load(self) -> tuple[str, Any]:
        self._engine.load(lambda *stage: self._connection.send(("progress", *stage)))
        return self._engine.device, self._engine.abilities

    def _beat(self) -> None:
        now = time.monotonic()
        if now - self._beaten > BEAT:
            self._beaten = now
            self._connection.send(("beat",))

    def _listen(self) -> None:
        try:
            while True:
                call = self._connection.recv()
                if call[0] == "cancel":
                    self._engine.cancel()
                else:
                    self._calls.put(call)
        except (EOFError, OSError):
            os._exit(0)  # Nobody asks any more, whatever is being read.


if __name__ == "__main__":
    Host(Connection(int(sys.argv[1]))).serve()
