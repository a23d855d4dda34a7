"""An engine in a process of its own, as if it were here: its crash or hang costs one call.

The process is `backend.engines.host`. What it answers comes over a socket that both ends keep to
themselves, so that the death of either is known to the other at once; cancels go over another, for
one that hangs takes no more calls, and nobody may wait to cancel. A process that died, or was
ended because it gave no sign of life, is started anew by the next call.
"""

import math
import os
import socket
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from backend.engines import (
    Audio,
    Cancelled,
    Crashed,
    Hosted,
    Progress,
    Reading,
    Wishes,
)

STALLED = 60.0
"""Seconds without a sign of life after which a call has hung."""
DYING = 2.0
"""Seconds that a process has to be gone after it closed the connection."""
WAITING = {"OPENBLAS_THREAD_TIMEOUT": "4"}
"""Has the threads that multiply MLX's matrices on Linux sleep until there is something to multiply.
They spin for long before they do, which took four tenths of the processor's time."""
LOOK = 0.1
"""Seconds between two looks at `Remote.cancel` while the engine loads."""


class Remote:
    """An engine whose work is done elsewhere. For one thread, but for `check` and `cancel`."""

    def __init__(self, make: type[Hosted], *given: Any, stalled: float = STALLED) -> None:
        """Start nothing yet.

        Args:
            make: the engine's class, importable by name.
            given: what it is made with.
            stalled: seconds without a sign of life after which a call is given up.

        """
        here = make(*given)
        self.name, self.model = here.name, here.model
        self.device, self.eager = here.device, here.eager
        self._made_of = (make, given)
        self._stalled = stalled
        self._abilities = here.abilities
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._cancels: socket.socket | None = None
        self._ending = threading.Lock()
        # Held while `_cancels` is used or closed, which is never for long.
        self._memory: int | None = None
        self._unwanted: threading.Event | None = None
        # Set by a cancel of `load`; there is none outside of that.
        self._progress: Progress = lambda stage, done, total: None

    def load(self, progress: Progress) -> None:
        """Start the process and have it load. Raises `EngineError`, or `Cancelled`."""
        self._progress = progress
        self._unwanted = threading.Event()
        try:
            if self._process is None:
                self._start()
        finally:
            self._unwanted = None

    def check(self, wishes: Wishes) -> None:
        """Raise `EngineError` for wishes that the engine can't fulfill. After `load`."""
        self._abilities.check(wishes)

    def warm_up(self) -> None:
        """Have it run once on nothing. Raises `EngineError`."""
        self._ask("warm_up")

    def partial(self, utterance: str, audio: Audio, wishes: Wishes) -> Reading:
        """Have it read an unfinished utterance.

        Raises `EngineError`, `Crashed` where another try may go well, or `Cancelled`.
        """
        reading: Reading = self._ask("partial", utterance, audio, wishes)
        return reading

    def final(self, utterance: str, audio: Audio, wishes: Wishes) -> Reading:
        """Have it read a whole utterance. Raises as `partial` does."""
        reading: Reading = self._ask("final", utterance, audio, wishes)
        return reading

    def cancel(self) -> None:
        """Have the call in progress raise `Cancelled` soon. Called from any thread; never waits."""
        if unwanted := self._unwanted:
            unwanted.set()
        # One that died is known to the call; one that hangs may take no more of these.
        with self._ending, suppress(OSError):
            if self._cancels:
                self._cancels.send(b"!")

    def unload(self) -> None:
        """End the process, which gives all its memory back."""
        self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        connection, self._connection = self._connection, None
        if connection:
            connection.close()
        with self._ending:
            if self._cancels:
                self._cancels.close()
            self._cancels = None
        if process:
            process.kill()
            process.wait()

    def _end_of_itself(self) -> str:
        """Return how the process ended that closed the connection."""
        assert self._process
        try:
            code = self._process.wait(DYING)
        except subprocess.TimeoutExpired:
            return "it closed the connection"
        finally:
            self._end()
        return f"signal {-code}" if code < 0 else f"exit code {code}"

    def memory(self) -> int | None:
        """Return what the engine holds, as of its last call; None while there is no process."""
        return self._memory if self._process else None

    def _start(self) -> None:
        path = os.pathsep.join(filter(None, sys.path))
        ours, theirs = socket.socketpair()
        cancels, hears = socket.socketpair()
        with theirs, hears:
            self._process = subprocess.Popen(
                # Without -P a file in the current folder might pass for one of our modules.
                [sys.executable, "-P", "-m", "backend.engines.host"]
                + [str(end.fileno()) for end in (theirs, hears)],
                pass_fds=[theirs.fileno(), hears.fileno()],
                stdin=subprocess.DEVNULL,
                env={**WAITING, **os.environ, "PYTHONPATH": path},
                start_new_session=True,  # Ctrl+C is for the server, which ends this one itself.
            )
        # What hangs doesn't take the sound either, of which a socket holds a few seconds.
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(self._stalled))
        self._connection = Connection(ours.detach())
        cancels.setblocking(False)
        with self._ending:
            self._cancels = cancels
        try:
            self._send("make", *self._made_of)
            self.device, self._abilities = self._ask("load")
        except BaseException:
            self._end()
            raise

    def _ask(self, name: str, *given: Any) -> Any:
        """Return the engine's answer; without a process, start one first."""
        if self._process is None:
            self._start()
            self._progress("ready", 1, 1)
        try:
            self._send(name, *given)
            well, answer = self._await(loading=name == "load")
        except BlockingIOError:
            self._end()
            raise self._hung() from None
        except (OSError, EOFError):
            raise Crashed(f"{self.name}'s process ended ({self._end_of_itself()})") from None
        except BaseException:
            self._end()
            raise
        if not well:
            raise answer
        return answer

    def _await(self, *, loading: bool) -> tuple[bool, Any]:
        """Return whether it went well, and the value or the exception."""
        connection = self._connection
        assert connection
        while True:
            self._wait_for_a_sign(connection, loading=loading)
            kind, *told = connection.recv()
            if kind == "progress":
                self._progress(*told)
            elif kind == "value":
                self._memory = told[1]
                return True, told[0]
            elif kind == "fault":
                return False, told[0]

    def _wait_for_a_sign(self, connection: Connection, *, loading: bool) -> None:
        if not loading:
            if not connection.poll(self._stalled):
                raise self._hung()
            return
        while not connection.poll(LOOK):  # A download may take hours, and can't be asked to stop.
            if self._unwanted and self._unwanted.is_set():
                raise Cancelled("nobody wants this any more")

    def _send(self, *message: Any) -> None:
        assert self._connection
        self._connection.send(message)

    def _hung(self) -> Crashed:
        return Crashed(f"{self.name} gave no sign of life for {self._stalled:g} s")


def _timeval(seconds: float) -> bytes:
    """Return C's ``struct timeval``."""
    part, whole = math.modf(seconds)
    return struct.pack("@ll", int(whole), int(part * 1e6))
