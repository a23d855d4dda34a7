"""The way from the hearing thread to the event loop.

Waking the loop costs more than most of what it is told; it is woken once for all that waits.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

log = logging.getLogger(__name__)


class Outbox:
    """Calls that wait for one event loop, in order. What waits is bounded by who is heard."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._waiting: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._woken = False

    def post(self, call: Callable[..., object], *arguments: Any) -> None:
        """Have the loop call it soon. From any thread; raises RuntimeError on a closed loop."""
        self._waiting.append((call, arguments))
        if not self._woken:
            self._woken = True
            try:
                self.loop.call_soon_threadsafe(self._deliver)
            except RuntimeError:
                self._woken = False
                raise

    def _deliver(self) -> None:
        self._woken = False  # First: what is posted from now on wakes again.
        for _ in range(len(self._waiting)):
            call, arguments = self._waiting.popleft()
            try:
                call(*arguments)
            except Exception:
                log.exception("what was heard could not be taken in")
        if self._waiting and not self._woken:
            self._woken = True
            self.loop.call_soon(self._deliver)
