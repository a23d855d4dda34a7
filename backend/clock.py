"""When sound was heard, against the wall clock.

The hearing thread ticks while the event loop asks.
"""

import time
from collections import deque


class Clock:
    """When each second of a session's sound was heard, for telling how late its words are."""

    def __init__(self) -> None:
        self._heard: deque[tuple[float, float]] = deque(maxlen=8192)

    def tick(self, seconds: float) -> None:
        self._heard.append((seconds, time.monotonic()))

    def since(self, seconds: float) -> float | None:
        """Return how long ago, in seconds, that second of the audio was heard."""
        when = None
        # A copy: a deque that grows while it is looked through raises RuntimeError.
        for position, heard in reversed(self._heard.copy()):
            if position < seconds:
                break
            when = heard
        return None if when is None else time.monotonic() - when
