"""The one thread that hears: blocks of sound from every source in, each to its own listener.

Sources never run the listeners' code, they only queue. Every queue is bounded, and each
kind of source has its own answer to a full one: a microphone drops and counts (`offer`), a
file waits (`put`), a socket stops reading (`feed`).
"""

import asyncio
import logging
import threading
from collections import deque
from queue import SimpleQueue
from typing import Protocol

from backend.hearing import Block

log = logging.getLogger(__name__)


class Listener(Protocol):
    """What a session does with its sound. Both are called on the hearing thread."""

    def hear(self, block: Block) -> None:
        """Take the next block of sound."""

    def finish(self, fault: Exception | None) -> None:
        """Know that there is no more, and why, if the source or the listener failed."""


class Inlet:
    """One session's bounded way into the hearing thread."""

    def __init__(self, ready: "SimpleQueue[Inlet | None]", listener: Listener, bound: int) -> None:
        self.lost = 0
        """Samples (per channel) dropped because the queue was full."""
        self._ready = ready
        self._listener = listener
        self._bound = bound
        self._blocks: deque[Block] = deque()
        self._waiting = 0
        self._room = threading.Condition()
        self._feeder: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        self._fault: Exception | None = None
        self._ended = False

    def offer(self, block: Block) -> bool:
        """Queue a block if there is room; otherwise count it as lost. Never waits."""
        with self._room:
            if self._ended:
                return False
            if self._waiting >= self._bound:
                self.lost += len(block)
                return False
            self._queue(block)
            return True

    def put(self, block: Block) -> bool:
        """Queue a block as soon as there is room; False if the inlet has ended meanwhile."""
        with self._room:
            self._room.wait_for(lambda: self._ended or self._waiting < self._bound)
            if not self._ended:
                self._queue(block)
            return not self._ended

    async def feed(self, block: Block) -> bool:
        """Like `put`, waiting without holding up the event loop."""
        while True:
            with self._room:
                if self._ended:
                    return False
                if self._waiting < self._bound:
                    self._queue(block)
                    return True
                room = asyncio.Event()
                self._feeder = (asyncio.get_running_loop(), room)
            await room.wait()

    def end(self, fault: Exception | None = None) -> None:
        """Take no more. What is queued is heard, then the listener is told to finish."""
        with self._room:
            if self._ended:
                return
            self._ended = True
            self._fault = fault
            self._wake()
            self._ready.put(self)

    def _queue(self, block: Block) -> None:
        self._blocks.append(block)
        self._waiting += len(block)
        self._ready.put(self)

    def _wake(self) -> None:
        self._room.notify_all()
        if self._feeder:
            loop, room = self._feeder
            self._feeder = None
            loop.call_soon_threadsafe(room.set)

    def take_turn(self) -> None:
        """Hear one block, or finish. Called by the hearing thread, once a queued block."""
        with self._room:
            block = self._blocks.popleft() if self._blocks else None
            if block is not None:
                self._waiting -= len(block)
                self._wake()
        try:
            if block is not None:
                self._listener.hear(block)
            else:
                self._listener.finish(self._fault)
        except Exception as error:
            log.exception("hearing failed")
            with self._room:
                self._blocks.clear()
            self.end(error)


class Ears:
    """The hearing thread. Started with the first inlet, ended by `close`."""

    def __init__(self) -> None:
        self._ready: SimpleQueue[Inlet | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def open(self, listener: Listener, bound: int) -> Inlet:
        """Return a way in for a session's sound.

        Args:
            listener: who hears it.
            bound: samples (per channel) that may wait.

        """
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="hearing", daemon=True)
            self._thread.start()
        return Inlet(self._ready, listener, bound)

    def close(self) -> None:
        """End the thread after what is queued."""
        if self._thread:
            self._ready.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while (inlet := self._ready.get()) is not None:
            inlet.take_turn()
