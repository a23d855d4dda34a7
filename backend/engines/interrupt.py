"""How a call in progress learns that nobody wants its answer any more.

The engine asks (`Interrupt.check`) at places where it may stop safely: between the blocks
of a model, between chunks of sound. Raising `Cancelled` into the thread from outside
(``PyThreadState_SetAsyncExc``) was weighed and left: it takes effect between the same
evaluations, but may hit an import or a compiler half way, or arrive after the call.
"""

import threading
from collections.abc import Callable

from backend.engines import Cancelled


class Interrupt:
    """A cancel on its way to the engine's thread.

    It sticks until a check has met it. So a cancel that comes just before its call begins
    is not lost; one that comes just after its call has ended meets the next call, and
    `backend.engines.desk` runs that one again.
    """

    def __init__(self, alive: Callable[[], None] = lambda: None) -> None:
        """Want nothing yet; `alive` is called at every check."""
        self._wanted = threading.Event()
        self._alive = alive

    def ask(self) -> None:
        """Have the next `check` raise. Called from any thread."""
        self._wanted.set()

    def check(self) -> None:
        """Go on, or raise `Cancelled`. Called on the engine's thread; costs well under a µs."""
        self._alive()
        if self._wanted.is_set():
            self._wanted.clear()
            raise Cancelled("nobody wants this any more")
