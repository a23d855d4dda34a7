"""A listener that keeps what a source pushes."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from backend.hearing import Block
from backend.hearing.ears import Ears, Inlet
from backend.hearing.news import News

PATIENCE = 20
"""Seconds to wait for what must happen."""


class Recorder:
    """Hears on ears of its own; ``with`` closes them."""

    def __init__(self, bound: int = 1_000_000) -> None:
        self.blocks: list[Block] = []
        self.news: list[News] = []
        self.fault: Exception | None = None
        self._changed = threading.Condition()
        self._finished = False
        self._ears = Ears()
        self.inlet: Inlet = self._ears.open(self, bound)

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, *_: object) -> None:
        self._ears.close()

    @property
    def sound(self) -> Block:
        """All that was heard, shape ``(samples, channels)``."""
        blocks: list[Any] = list(self.blocks)
        return np.concatenate(blocks)

    def wait_until(self, enough: Callable[[], bool]) -> None:
        """Wait for something that comes with a block; fail if it doesn't."""
        with self._changed:
            assert self._changed.wait_for(enough, PATIENCE), "it was not heard"

    def wait_for_the_end(self) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self._finished, PATIENCE), "it did not end"

    def hear(self, block: Block) -> None:
        with self._changed:
            self.blocks.append(block)
            self._changed.notify_all()

    def flush(self) -> None:
        """Nothing is cut up here."""

    def note(self, news: News) -> None:
        with self._changed:
            self.news.append(news)
            self._changed.notify_all()

    def finish(self, fault: Exception | None) -> None:
        with self._changed:
            self.fault, self._finished = fault, True
            self._changed.notify_all()
