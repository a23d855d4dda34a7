"""The one thread that hears: blocks of sound from every source in, each to its own listener.

Sources never run the listeners' code, they only queue. Every queue is bounded, and each
kind of source has its own answer to a full one: a microphone drops and counts (`offer`), a
file waits (`put`), a socket stops reading (`take`, `feed`). Inlets take turns, a block a turn, so
that one with much to say keeps nobody waiting.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from queue import SimpleQueue
from typing import Protocol

import numpy as np

from backend.hearing import Block
from backend.hearing.news import News
from backend.hearing.outbox import Outbox

log = logging.getLogger(__name__)

MANY, GATHER = 32, 0.004
"""With more inlets than this, seconds for which sound is gathered before it is heard: to wake for
each block costs more than to hear it."""


class Listener(Protocol):
    """What a session does with its sound. All are called on the hearing thread."""

    def hear(self, block: Block) -> None:
        """Take the next block of sound."""

    def flush(self) -> None:
        """End the utterance in progress, if there is one."""

    def note(self, news: News) -> None:
        """Know what has happened to the source, after the sound before it."""

    def finish(self, fault: Exception | None) -> None:
        """Know that there is no more, and why, if the source or the listener failed. Once."""


class Inlet:
    """One session's bounded way into the hearing thread."""

    def __init__(self, ready: "SimpleQueue[Inlet | None]", listener: Listener, bound: int) -> None:
        self.lost = 0
        """Samples (per channel) dropped because the queue was full."""
        self._ready = ready
        self._listener = listener
        self._bound = bound
        self._blocks: deque[Block | News | None] = deque()  # None asks for a flush
        self._waiting = 0
        self._held = False
        self._lock = threading.Lock()
        self._room = threading.Condition(self._lock)
        self._putters = 0
        self._feeders: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        self._fault: Exception | None = None
        self._ended = False
        self._in_line = False

    def offer(self, block: Block) -> bool:
        """Queue a block if there is room; otherwise count it as lost. Never waits."""
        with self._lock:
            if self._ended:
                return False
            if self._waiting >= self._bound:
                self.lost += len(block)
                return False
            self._queue(block)
            return True

    def take(self, block: Block) -> bool:
        """Queue a block if there is room; otherwise its source keeps it. Never waits."""
        with self._lock:
            if self._ended or not self._has_room():
                return False
            self._queue(block)
            return True

    def put(self, block: Block) -> bool:
        """Queue a block as soon as there is room; False if the inlet has ended meanwhile."""
        with self._lock:
            self._putters += 1
            try:
                self._room.wait_for(lambda: self._ended or self._has_room())
            finally:
                self._putters -= 1
            if not self._ended:
                self._queue(block)
            return not self._ended

    async def feed(self, block: Block) -> bool:
        """Like `put`, waiting without holding up the event loop."""
        while True:
            with self._lock:
                if self._ended:
                    return False
                if self._has_room():
                    self._queue(block)
                    return True
                room = asyncio.Event()
                self._feeders.append((asyncio.get_running_loop(), room))
            await room.wait()

    def flush(self) -> None:
        """Have the listener end the utterance in progress, after what is queued."""
        with self._lock:
            # A second flush with no sound between them would end nothing.
            if not self._ended and not (self._blocks and self._blocks[-1] is None):
                self._blocks.append(None)
                self._stand_in_line()

    def tell(self, news: News) -> None:
        """Have the listener know of something, after what is queued. Never waits.

        For what happens now and then: it is queued even where sound would find no room.
        """
        with self._lock:
            if not self._ended:
                self._blocks.append(news)
                self._stand_in_line()

    def hold(self, held: bool) -> None:
        """Make those wait who can, `put` and `feed`; a microphone can't and goes on."""
        with self._lock:
            self._held = held
            if not held:
                self._wake()

    def end(self, fault: Exception | None = None) -> None:
        """Take no more. What is queued is heard, then the listener is told to finish."""
        with self._lock:
            if not self._ended:
                self._ended = True
                self._fault = fault
                self._wake()
                self._stand_in_line()

    def _has_room(self) -> bool:
        return not self._held and self._waiting < self._bound

    def _queue(self, block: Block) -> None:
        self._blocks.append(block)
        self._waiting += len(block)
        self._stand_in_line()

    def _stand_in_line(self) -> None:
        if not self._in_line:
            self._in_line = True
            self._ready.put(self)

    def _wake(self) -> None:
        if self._putters:
            self._room.notify_all()
        if not self._feeders:
            return
        feeders, self._feeders = self._feeders, []
        for loop, room in feeders:
            try:
                loop.call_soon_threadsafe(room.set)
            except RuntimeError:
                # That loop is closed, so nobody waits there; the hearing thread lives on.
                log.debug("a feeder's event loop is gone")

    def take_turn(self) -> bool:
        """Do what is next: hear a block, flush or finish. On the hearing thread.

        Returns True when there will be no more turns.
        """
        with self._lock:
            done = not self._blocks
            item = None if done else self._blocks.popleft()
            if isinstance(item, np.ndarray):
                self._waiting -= len(item)
                self._wake()
        try:
            if isinstance(item, np.ndarray):
                self._listener.hear(item)
            elif item is not None:
                self._listener.note(item)
            elif done:
                self._listener.finish(self._fault)
            else:
                self._listener.flush()
        except Exception as error:
            log.exception("hearing failed")
            self._give_up(error)
        with self._lock:
            self._in_line = False
            if not done and (self._blocks or self._ended):
                self._stand_in_line()
        return done

    def _give_up(self, error: Exception) -> None:
        """Drop what is queued and take no more; the listener is told to finish."""
        with self._lock:
            self._blocks.clear()
            self._waiting = 0
            self._ended = True
            self._fault = error
            self._wake()


class Ears:
    """The hearing thread. Started with the first inlet, ended by `close`."""

    def __init__(self) -> None:
        self._ready: SimpleQueue[Inlet | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._inlets: set[Inlet] = set()
        self._changing = threading.Lock()
        self._outbox: Outbox | None = None

    def outbox(self, loop: asyncio.AbstractEventLoop) -> Outbox:
        """Return the way to a loop, the same for all that are heard here."""
        if self._outbox is None or self._outbox.loop is not loop:
            self._outbox = Outbox(loop)
        return self._outbox

    def open(self, listener: Listener, bound: int) -> Inlet:
        """Return a way in for a session's sound.

        Args:
            listener: who hears it.
            bound: samples (per channel) that may wait.

        """
        inlet = Inlet(self._ready, listener, bound)
        with self._changing:
            self._inlets.add(inlet)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="hearing", daemon=True)
                self._thread.start()
        return inlet

    def close(self) -> None:
        """End every inlet, and the thread after all that is queued has been heard."""
        with self._changing:
            thread, self._thread = self._thread, None
            inlets = list(self._inlets)
        for inlet in inlets:
            inlet.end()
        if thread:
            self._ready.put(None)
            thread.join()

    def _run(self) -> None:
        closing = False
        while not closing or not self._ready.empty():
            if len(self._inlets) > MANY and self._ready.empty():
                time.sleep(GATHER)
            inlet = self._ready.get()
            if inlet is None:
                closing = True
            elif inlet.take_turn():
                with self._changing:
                    self._inlets.discard(inlet)
