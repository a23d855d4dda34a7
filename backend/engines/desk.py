"""One engine at its desk: a thread of its own, where it loads, reads and unloads.

Finals are read in the order they came and before all partials; a final that comes while a
partial is being read interrupts it. Of each utterance at most one partial waits: a newer
one takes the place of an older one not yet begun. What waits is bounded: partials by the
number of utterances being spoken, finals by seconds of sound (`Desk.has_room`, `Full`).
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from backend.engines import (
    RATE,
    Audio,
    Cancelled,
    Crashed,
    Engine,
    EngineError,
    Progress,
    Reading,
    Wishes,
)

log = logging.getLogger(__name__)

PATIENCE = 3.0
"""Seconds that `Desk.close` waits for an engine that was interrupted."""

State = Literal["unloaded", "loading", "ready", "failed"]


OnCrash = Callable[[str], None]
"""Told, on the engine's thread, why an engine broke down over a final that is now read again."""


def _ignore(fault: str) -> None:
    pass


class Full(EngineError):
    """More speech waits for the engine than the desk holds; what was offered is not read."""


@dataclass(eq=False)
class _Request:
    call: Callable[[str, Audio, Wishes], Reading]
    utterance: str
    audio: Audio
    wishes: Wishes
    is_final: bool
    whole: bool = True
    """Read as a final is."""
    unwanted: bool = False
    crashed: OnCrash = _ignore
    future: Future[Reading] = field(default_factory=Future)

    @property
    def seconds(self) -> float:
        return len(self.audio) / RATE

    def is_draft_of(self, utterance: str) -> bool:
        """Whether it reads the utterance as if it had ended."""
        return self.whole and not self.is_final and self.utterance == utterance

    def reads(self, utterance: str, audio: Audio, wishes: Wishes) -> bool:
        """Whether it is a draft of this very sound, and still wanted."""
        same = self.is_draft_of(utterance) and not self.unwanted and self.wishes == wishes
        return same and np.array_equal(self.audio, audio)

    def drop(self) -> None:
        """Give the request up before it was begun. Not under the lock: callbacks run."""
        if not self.is_final:
            self.future.cancel()
        elif self.future.set_running_or_notify_cancel():
            self.future.set_exception(Cancelled("cancelled before it was read"))


class Desk:
    """An engine and the requests that wait for it. Every method may be called from any thread.

    A future's callbacks run on the engine's thread, or on that of whoever cancels.
    """

    def __init__(self, engine: Engine, bound_seconds: float = 300.0) -> None:
        self.engine = engine
        """What reads; nobody else may call it."""
        self.bound_seconds = bound_seconds
        """Seconds of sound that wait, from which on no more finals are taken."""
        self.partials_replaced = 0
        """Partials that a newer one, or their final, made moot before they were begun."""
        self.finals_done = 0
        """Finals that ended with a reading."""
        self._state: State = "unloaded"
        self._changed = threading.Condition()
        self._finals: deque[_Request] = deque()
        self._partials: dict[str, _Request] = {}
        self._running: _Request | None = None
        self._closing = False
        self._loaded: Future[None] = Future()
        self._thread: threading.Thread | None = None

    @property
    def state(self) -> State:
        """``unloaded``, ``loading``, ``ready`` or ``failed``."""
        return self._state

    @property
    def queue_depth(self) -> int:
        """Requests that wait; the one being read is not among them."""
        with self._changed:
            return len(self._finals) + len(self._partials)

    @property
    def room(self) -> float:
        """Seconds of sound that finals may still bring; 0 when full."""
        with self._changed:
            return max(0.0, self.bound_seconds - self._waiting())

    def has_room(self) -> bool:
        """Whether `final` takes another utterance, however long."""
        return self.room > 0

    def load(self, progress: Progress) -> Future[None]:
        """Load the engine and warm it up; what is loading or ready is left as it is.

        Args:
            progress: told of every stage, on the engine's thread.

        The future ends with None, `EngineError`, or `Cancelled` if the desk was closed
        meanwhile. After a failure it may be tried again. Raises `EngineError` once closed.

        """
        with self._changed:
            if self._closing:
                raise EngineError(f"the engine {self.engine.name} is closed")
            if self._state in {"loading", "ready"}:
                return self._loaded
            self._state, self._loaded = "loading", Future()
            self._loaded.set_running_or_notify_cancel()  # Nobody who waits can cancel it.
            self._thread = threading.Thread(
                target=self._run, args=(self._loaded, progress), name=self.engine.name, daemon=True
            )
            self._thread.start()
            return self._loaded

    def partial(
        self, utterance_id: str, audio: Audio, wishes: Wishes, *, whole: bool = False
    ) -> Future[Reading]:
        """Have an unfinished utterance read, unless something newer comes first.

        Args:
            utterance_id: the same each time.
            audio: all of it so far.
            wishes: how to read it.
            whole: it may be all there is: read it as a final. The very same asked for as a
                `final` meanwhile isn't begun anew; what is newer interrupts it.

        The future ends cancelled (never begun), with `Cancelled` (interrupted) or
        `EngineError` as well as with a reading. Raises `EngineError` if nothing is loaded.

        """
        call = self.engine.final if whole else self.engine.partial
        request = _Request(call, utterance_id, audio, wishes, is_final=False, whole=whole)
        with self._changed:
            self._must_be_open()
            if self._running and self._running.is_draft_of(utterance_id):
                self._interrupt(self._running)
            older = self._partials.get(utterance_id)
            self._partials[utterance_id] = request
            self.partials_replaced += older is not None
            self._changed.notify_all()
        if older:
            older.drop()
        return request.future

    def final(
        self, utterance_id: str, audio: Audio, wishes: Wishes, crashed: OnCrash = _ignore
    ) -> Future[Reading]:
        """Have a whole utterance read; if the engine breaks down over it, once more.

        Args:
            utterance_id: that of its partials.
            audio: all of it.
            wishes: how to read it.
            crashed: told why it is read once more.

        The future ends with a reading, `EngineError`, or `Cancelled` after `cancel` and
        `close`. Raises `Full` over the bound, `EngineError` if nothing is loaded.

        """
        request = _Request(
            self.engine.final, utterance_id, audio, wishes, is_final=True, crashed=crashed
        )
        with self._changed:
            self._must_be_open()
            if self._waiting() >= self.bound_seconds:
                raise Full(
                    f"{self._waiting():.0f} s of speech wait for {self.engine.name} already: it is "
                    "slower than the speech that comes; take a smaller model or fewer sessions"
                )
            if self._running and self._running.reads(utterance_id, audio, wishes):
                self._running.is_final = True
                self._running.crashed = crashed
                return self._running.future
            moot = self._partials.pop(utterance_id, None)
            if moot and moot.reads(utterance_id, audio, wishes):
                request, moot = moot, None
                request.is_final, request.crashed = True, crashed
            self.partials_replaced += moot is not None
            self._finals.append(request)
            if self._running and not self._running.is_final:
                self._interrupt(self._running)
            self._changed.notify_all()
        if moot:
            moot.drop()
        return request.future

    def cancel(self, utterance_id: str) -> None:
        """Give up every request of an utterance, the one being read included."""
        with self._changed:
            dropped = self._take_out(utterance_id)
            if self._running and self._running.utterance == utterance_id:
                self._interrupt(self._running)
        for request in dropped:
            request.drop()

    def close(self, *, drain: bool = False, timeout: float | None = None) -> bool:
        """Unload the engine and end its thread, for good. Harmless when that is done already.

        Args:
            drain: read what waits first; otherwise it is dropped, and what is being read
                interrupted.
            timeout: seconds to wait for it. None waits as long as it takes when draining,
                else `PATIENCE`: the thread doesn't hold up the end of the process.

        Returns whether the thread has ended.

        """
        with self._changed:
            self._closing = True
            dropped = [] if drain else self._take_out()
            if self._running and not drain:
                self._interrupt(self._running)
            elif self._state == "loading":
                self.engine.cancel()
            thread = self._thread
            self._changed.notify_all()
        for request in dropped:
            request.drop()
        if thread is None or thread is threading.current_thread():
            return thread is None
        thread.join(timeout if drain or timeout is not None else PATIENCE)
        return not thread.is_alive()

    def _must_be_open(self) -> None:
        if self._closing or self._state not in {"loading", "ready"}:
            state = "closed" if self._closing else self._state
            raise EngineError(f"the engine {self.engine.name} is {state}: load it first")

    def _waiting(self) -> float:
        return sum(request.seconds for request in self._finals)

    def _take_out(self, utterance: str | None = None) -> list[_Request]:
        """Remove and return what waits: of one utterance, or everything."""
        waiting = [*self._finals, *self._partials.values()]
        taken = [one for one in waiting if utterance in {None, one.utterance}]
        self._finals = deque(one for one in self._finals if one not in taken)
        self._partials = {key: one for key, one in self._partials.items() if one not in taken}
        return taken

    def _interrupt(self, request: _Request) -> None:
        """Cancel what is being read, once. Under the lock, so it is still being read."""
        if not request.unwanted:
            request.unwanted = True
            self.engine.cancel()

    # From here on: the engine's thread.

    def _run(self, loaded: Future[None], progress: Progress) -> None:
        try:
            self._load(progress)
        except BaseException as error:
            self._unload()
            self._fail(loaded, error)
            return
        with self._changed:
            self._state = "ready"
        loaded.set_result(None)
        while request := self._next():
            self._read(request)
        self._unload()
        with self._changed:
            self._state = "unloaded"

    def _load(self, progress: Progress) -> None:
        def tell(stage: str, done: float, total: float | None) -> None:
            if self._closing:
                raise Cancelled("closed while loading")
            progress(stage, done, total)

        self.engine.load(tell)
        tell("warm-up", 0, None)
        self.engine.warm_up()
        tell("ready", 1, 1)

    def _fail(self, loaded: Future[None], error: BaseException) -> None:
        fault = self._as_told(error, "could not be loaded")
        with self._changed:
            self._state = "unloaded" if self._closing else "failed"
            dropped = self._take_out()
        loaded.set_exception(fault)
        for request in dropped:
            if request.future.set_running_or_notify_cancel():
                request.future.set_exception(fault)

    def _next(self) -> _Request | None:
        """Wait for work; None ends the thread."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._closing or self._finals or self._partials)
                if not self._finals and not self._partials:
                    return None
                request = (
                    self._finals.popleft()
                    if self._finals
                    else self._partials.pop(next(iter(self._partials)))
                )
                if request.future.set_running_or_notify_cancel():
                    self._running = request
                    return request

    def _read(self, request: _Request) -> None:
        fault: BaseException | None = None
        reading = Reading("")
        began = time.monotonic()
        try:
            reading = replace(self._ask(request), seconds=time.monotonic() - began)
        except BaseException as error:
            fault = self._as_told(error, "failed on an utterance")
        with self._changed:
            self._running = None
            if request.unwanted and not isinstance(fault, Crashed):
                fault = Cancelled("interrupted")
            self.finals_done += request.is_final and fault is None
        if fault:
            request.future.set_exception(fault)
        else:
            request.future.set_result(reading)

    def _ask(self, request: _Request) -> Reading:
        try:
            return request.call(request.utterance, request.audio, request.wishes)
        except Cancelled:
            if request.unwanted:
                raise
            # It was meant for the request before and came after its end: one can.
        except Exception as error:
            if not request.is_final or not _may_go_well(error):
                raise
            log.warning("%s: %s; reading it again", request.utterance, error, exc_info=error)
            request.crashed(str(self._as_told(error, "failed on an utterance")))
        return request.call(request.utterance, request.audio, request.wishes)

    def _as_told(self, error: BaseException, what: str) -> Exception:
        """Return what the caller is told of an engine's fault; a crash is logged in full."""
        if isinstance(error, EngineError | Cancelled):
            # Its frames hold arrays of megabytes, and would until the cycle collector comes.
            error.__cause__ = error.__context__ = None
            return error.with_traceback(None)
        log.error("%s %s", self.engine.name, what, exc_info=error)
        return Crashed(f"{self.engine.name} {what}: {type(error).__name__}: {error}")

    def _unload(self) -> None:
        try:
            self.engine.unload()
        except Exception:
            log.exception("%s could not be unloaded", self.engine.name)


def _may_go_well(error: Exception) -> bool:
    """Whether an engine may do what it failed to do before."""
    return isinstance(error, Crashed) or not isinstance(error, EngineError)
