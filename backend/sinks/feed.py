"""What was said, passed on to a sink from where it left off: each final once, in order.

The place is saved after a delivery. A server that is killed in between delivers that one again,
which every sink takes for what it is by its number.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Sequence
from typing import Protocol

from backend.history import History, tables
from backend.history.writer import NotWritten
from backend.problems import Problem
from backend.sinks import places
from backend.sinks.places import Said
from common.sinks import SinkStatus

log = logging.getLogger(__name__)

FIRST_PAUSE = 0.5
"""Seconds before the first new try; each further one doubles."""
LONGEST_PAUSE = 30.0
"""Seconds: pauses don't grow beyond."""
LONGEST_WISH = 600.0
"""Seconds: no sink may ask for a longer pause."""
TRIES = 5
"""How often what is refused is tried before it is put aside."""


class Refused(Exception):
    """The sink is there and does not take this final. The text says why."""


class NotNow(Exception):
    """The sink can't be reached, or says that it can't now. The text says why."""

    def __init__(self, why: str, pause: float = 0.0) -> None:
        super().__init__(why)
        self.pause = pause
        """Seconds after which it wants to be asked again."""


class Sink(Protocol):
    """A place outside for what was said."""

    name: str
    target: str
    """Where it leads, without passwords."""
    batch: int
    """Finals that it takes at a time."""
    whole: bool
    """It begins with the oldest final, not with the first of the life in which it was named."""
    patience: float
    """Seconds for which one final is tried while it can't be delivered; then it is put aside."""

    async def open(self) -> None:
        """Connect. Raises anything."""

    async def deliver(self, finals: Sequence[Said]) -> None:
        """Deliver, in order, all or none as far as can be told. Raises `Refused` or anything."""

    async def close(self) -> None:
        """Let go, after whatever happened."""


class Feed:
    """One sink's reading of history. Runs as a task on the event loop."""

    def __init__(self, sink: Sink, history: History) -> None:
        self.sink = sink
        self.lag = 0
        self.letters = 0
        self.delivered = 0
        self._history = history
        self._place: int | None = None
        self._up = False
        self._fault: str | None = None
        self._gap = False
        self._tries = 0
        self._trying_since = 0.0
        self._trying: Said | None = None
        self._wake = asyncio.Event()

    def status(self) -> SinkStatus:
        return SinkStatus(
            name=self.sink.name,
            target=self.sink.target,
            state="up" if self._up else "failing" if self._fault else "connecting",
            fault=self._fault,
            seq=self._place,
            lag=self.lag,
            delivered=self.delivered,
            letters=self.letters,
            gap=self._gap,
        )

    def wake(self) -> None:
        """Look for something to deliver now."""
        self._wake.set()

    async def refresh(self) -> None:
        """Count anew what waits and what was put aside."""
        try:
            if self._place is not None:
                self.lag = await self._history.read(places.lag, self._place)
            self.letters = await self._history.read(places.count_letters, self.sink.name)
        except Problem:
            pass  # The figures stay as they were; history tells of its own faults.

    async def run(self) -> None:
        """Pass on what is said, until cancelled."""
        self._history.grew.add(self._wake)
        try:
            while True:
                pause = await self._try()
                await asyncio.sleep(pause)
        finally:
            self._history.grew.discard(self._wake)

    async def _try(self) -> float:
        """Connect and deliver until something goes wrong; return the seconds to wait then."""
        try:
            await self._begin()
            await self.sink.open()
            while True:
                if not await self._deliver_some():
                    await self._wake.wait()
                self._wake.clear()
        except Exception as error:  # Whatever a driver raises.
            return await self._fail(error)
        finally:
            with contextlib.suppress(Exception):  # What is broken need not close well.
                await self.sink.close()

    async def _begin(self) -> None:
        if self._place is not None:
            return
        place = await self._history.read(places.find, self.sink.name)
        if place is None:
            place = 0 if self.sink.whole else self._history.first
            await self._history.write(places.save, self.sink.name, place)
        self._place = place

    async def _deliver_some(self) -> bool:
        """Deliver what comes next; say whether there was anything."""
        assert self._place is not None
        name = self.sink.name
        limit = 1 if self._tries else self.sink.batch
        letters = await self._history.read(places.again, name, limit)
        finals = letters or await self._history.read(places.after, self._place, limit)
        await self._look_for_a_gap()
        if finals:
            self._trying = finals[0]
            await self.sink.deliver(finals)
            self._tries = 0
            self.delivered += len(finals)
        self._up, self._fault = True, None
        if letters:
            await self._save(places.take_back, [said.seq for said in letters])
        elif finals:
            self._place = finals[-1].seq
            await self._save(places.save, self._place)
        await self.refresh()
        return bool(finals)

    async def _look_for_a_gap(self) -> None:
        floor = await self._history.read(tables.number, "floor")
        if self._place and floor and self._place < floor and not self._gap:
            log.warning("sink %s: history let go of what it had not been told", self.sink.name)
            self._gap = True

    async def _save(self, act: object, value: object) -> None:
        try:
            await self._history.write(act, self.sink.name, value)  # type: ignore[arg-type]
        except NotWritten as error:
            log.warning("sink %s: its place isn't saved: %s", self.sink.name, error)

    async def _fail(self, error: Exception) -> float:
        why = str(error) or type(error).__name__
        if self._up or self._fault is None:
            log.warning("sink %s: %s", self.sink.name, why)
        self._up, self._fault = False, why
        self._tries += 1
        if self._tries == 1:
            self._trying_since = time.monotonic()
        await self.refresh()
        refused = isinstance(error, Refused) and self._tries >= TRIES
        too_long = time.monotonic() - self._trying_since > self.sink.patience
        if self._trying and (refused or too_long):
            await self._put_aside(self._trying, why)
            return 0.0
        pause = min(FIRST_PAUSE * 2.0 ** min(self._tries - 1, 10), LONGEST_PAUSE)
        wished = error.pause if isinstance(error, NotNow) else 0.0
        return max(pause * random.uniform(0.8, 1.2), min(wished, LONGEST_WISH))

    async def _put_aside(self, said: Said, why: str) -> None:
        log.error("sink %s: %d is put aside: %s", self.sink.name, said.seq, why)
        try:
            await self._history.write(places.put_aside, self.sink.name, said.seq, why, self._tries)
        except NotWritten:
            return  # It is tried again.
        self._tries, self._trying = 0, None
        if self._place is not None and said.seq > self._place:
            self._place = said.seq
            await self._save(places.save, said.seq)
