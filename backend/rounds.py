"""What comes faster than many can be told of it is told them together.

A thousand clients take 10 ms to be told one event, most of it in the kernel. After such a round
the loop has as long for others, and one write carries to each client what has come meanwhile. The
more that was, the sooner the next round follows: where each event costs a write of its own, no more
waits than can be told.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

MANY = 100
"""Clients from which on a round counts; fewer are told everything at once."""
MOST = 64
"""Events in one round; when so many wait it is made at once."""

Item = TypeVar("Item")


class Rounds(Generic[Item]):
    """Tells items in order, one by one or several at a time. On the loop only."""

    def __init__(self, tell: Callable[[Sequence[Item]], int]) -> None:
        """Begin with nothing to tell.

        Args:
            tell: tells items, and returns how many clients there were.

        """
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._waiting: list[Item] = []
        self._next: asyncio.Handle | None = None
        self._telling = False

    def add(self, item: Item) -> None:
        """Tell it now, or with the next round."""
        self._waiting.append(item)
        if not self._telling and (self._next is None or len(self._waiting) >= MOST):
            self._round()

    def flush(self) -> None:
        """Tell what waits, without waiting. Not from within `tell`."""
        while self._waiting:
            self._round()

    def _round(self) -> None:
        if self._next:
            self._next.cancel()
        items, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        began, self._next, self._telling = self._loop.time(), None, True
        try:
            many = self._tell(items) >= MANY
        finally:
            self._telling = False
        if many:
            pause = (self._loop.time() - began) / len(items)
            self._next = self._loop.call_later(pause, self._go_on)
        elif self._waiting:
            self._next = self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._next = None
        if self._waiting:
            self._round()
