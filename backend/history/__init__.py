"""What was said, in SQLite: written before it is told, found again, and forgotten.

`History` lives on the event loop. One thread writes (`writer`), two read (`readers`). What a
client sees as final is committed; while that can't be done the server goes on, says so, and
writes it as soon as it can.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Set
from functools import partial
from pathlib import Path
from sqlite3 import Connection
from typing import TypeVar

from backend.hearing import Samples
from backend.history import lock, records, search, sounds, tables
from backend.history.readers import NotRead, Readers
from backend.history.retention import Retention
from backend.history.writer import NotWritten, Writer
from backend.problems import Problem, missing, not_found
from backend.settings import Settings
from common.api import HistoryStatus
from common.events import Error, Event, SessionStarted, SessionStopped, Transcription
from common.history import HistoryOverview

log = logging.getLogger(__name__)

Value = TypeVar("Value")

NAME = "history.db"
PATIENCE = 2.0
"""Seconds that a final waits for a disk that doesn't answer; then it is told unwritten."""


class History:
    """Made on the event loop. Nothing is touched before `open`."""

    def __init__(self, settings: Settings) -> None:
        self.tell: Callable[[Event], None] = lambda event: None
        """Publishes an event: that writing fails."""
        self.forgotten: Callable[[Set[int]], None] = lambda numbers: None
        """Called with the numbers of finals that were deleted: nobody may be told them again."""
        self.grew: set[asyncio.Event] = set()
        """Set when finals were committed; whoever waits for one clears it."""
        self._settings = settings
        self._on = settings.history
        self._off_because: str | None = None
        self._late: str | None = None
        self._first: int | None = None
        self._latest = 0
        self._origin = 0
        self._pending: set[asyncio.Future[None]] = set()
        self._loop = asyncio.get_running_loop()
        folder = settings.data_dir
        self._path = folder / NAME
        self._lock = lock.Lock(folder / "history.lock")
        self._retention = Retention(folder / "audio", settings.history_days, settings.history_mb)
        self._writer = Writer(
            self._path, opened=self._begin_life, tidy=self._retention.tidy, changed=self._change
        )
        self._readers = Readers(self._path, lambda: self._writer.lives)

    def open(self) -> int:
        """Begin to write; return the number before the first event of this life."""
        if self._on:
            try:
                self._lock.take()
            except OSError as error:
                self._on = False
                self._off_because = str(error)
                log.error("history is off: %s", error)
        if self._on:
            self._writer.start()
        self._first = self._first or int(time.time() * 1000)
        return self._first

    def _begin_life(self, connection: Connection) -> None:
        self._first = tables.begin_life(connection, self._first, self._latest)
        self._origin = tables.number(connection, "origin") or 0

    def close(self) -> None:
        """Write what waits and let go of the file. Blocking."""
        if self._on:
            self._writer.close()
        self._readers.close()
        self._lock.give_back()

    @property
    def first(self) -> int:
        """The number before the first event of this life; 0 before `open`."""
        return self._first or 0

    @property
    def origin(self) -> str:
        """What names this history among those of other servers."""
        return f"{self._origin:012x}"

    @property
    def fault(self) -> str | None:
        """Why nothing is written, if it should be."""
        return self._off_because or self._writer.fault or self._late

    @property
    def written(self) -> int:
        """Finals, marks of sessions and deletions that were committed."""
        return self._writer.written

    def status(self) -> HistoryStatus:
        return HistoryStatus(
            state="off" if not self._on else "failing" if self.fault else "on",
            fault=self.fault,
            waiting=self._writer.waiting,
            lost=self._writer.lost,
            bytes=self._retention.bytes,
        )

    # Writing.

    def keep(self, event: Event, sound: Samples | None = None) -> "asyncio.Future[None] | None":
        """Begin to write an event; None if nobody needs to wait for that.

        The future ends when it is committed, or when that can't be done; it never fails.
        """
        self._latest = event.seq or self._latest
        if not self._on:
            return None
        match event:
            case Transcription(is_final=True):
                return self._keep_final(event, sound)
            case SessionStarted():
                self._writer.submit(partial(records.begin, event), lasting=True)
            case SessionStopped():
                self._writer.submit(partial(records.end, event), lasting=True)
        return None

    def _keep_final(
        self, event: Transcription, sound: Samples | None
    ) -> "asyncio.Future[None] | None":
        failing = self.fault is not None
        # Sound is large: while nothing can be written it doesn't wait in memory.
        act = partial(records.add, event, self._retention.folder, None if failing else sound)
        done = self._writer.submit(act, lasting=True)
        done.add_done_callback(self._committed)
        if failing:
            return None
        told = self._loop.create_future()
        self._pending.add(told)
        late = self._loop.call_later(PATIENCE, self._be_late)
        done.add_done_callback(lambda _: self._release(told))
        told.add_done_callback(lambda _: late.cancel())
        return told

    def _committed(self, done: "asyncio.Future[str | None]") -> None:
        self._late = None
        if done.exception():
            return
        for event in self.grew:
            event.set()
        if fault := done.result():
            self._complain("Sound not kept", fault)

    def _release(self, told: "asyncio.Future[None]") -> None:
        self._pending.discard(told)
        if not told.done():
            told.set_result(None)

    def _be_late(self) -> None:
        self._late = f"{self._path}: the disk doesn't answer"
        self._change(self._late)

    def _change(self, fault: str | None) -> None:
        if fault is None:
            log.info("history is written again")
            return
        for told in list(self._pending):
            self._release(told)
        self._complain("History not written", fault)

    def _complain(self, what: str, fault: str) -> None:
        log.error("%s: %s", what, fault)
        self.tell(Error(error=what, details=fault))

    # Forgetting.

    async def delete(self, seq: int) -> int:
        """Delete an utterance and its sound. Raises `Problem` 404 or 503."""
        gone = await self.ask(records.delete_one, seq)
        if not gone:
            raise unknown(seq)
        await self._forget(gone)
        return 1

    async def delete_session(self, session_id: str) -> int:
        """Delete what was said in sessions of this id; return how much. Raises `Problem`.

        One that still listens goes on.
        """
        if not await self.read(search.known, session_id):
            raise not_found(f"history has no session {session_id[:80]!r}", "Session not found")
        return await self._delete(session_id)

    async def delete_all(self) -> int:
        """Delete everything; return how many utterances that were. Raises `Problem` 503."""
        return await self._delete(None)

    async def _delete(self, session_id: str | None) -> int:
        """Delete in steps, so that what is said meanwhile needn't wait."""
        count, until = 0, self._latest
        while gone := await self.ask(records.delete_some, session_id, until):
            await self._forget(gone)
            count += len(gone)
        await self.ask(records.forget_sessions, session_id)
        return count

    async def _forget(self, gone: list[int]) -> None:
        self.forgotten(frozenset(gone))
        self._retention.forget_words()
        self._writer.tidy_soon()
        await asyncio.to_thread(sounds.remove, self._retention.folder, gone)

    # Reading.

    async def read(self, act: Callable[..., Value], *given: object) -> Value:
        """Have one of `search` done on a thread. Raises `Problem` 503."""
        self._refuse_if_off()
        try:
            return await self._readers.read(act, *given)
        except NotRead as error:
            raise missing(str(error), "History can't be read") from error

    async def overview(self) -> HistoryOverview:
        """Return how much there is. Raises `Problem` 503."""
        utterances, sessions, oldest = await self.read(search.counts)
        return HistoryOverview(
            status=self.status(),
            utterances=utterances,
            sessions=sessions,
            oldest=oldest,
            days=self._settings.history_days,
            megabytes=self._settings.history_mb,
        )

    def sound(self, seq: int) -> Path:
        """Return where an utterance's sound lies, if it was kept."""
        return sounds.place(self._retention.folder, seq)

    async def told(self, after: int, below: int, limit: int) -> tuple[list[str], bool]:
        """Return the finals between two numbers as they were told, and whether that is all.

        It isn't if some were deleted for their age, or never written.
        """
        try:
            found = await self.read(search.told, after, below, limit)
            floor = await self.read(tables.number, "floor")
        except Problem:
            return [], False
        whole = after >= (floor or 0) and len(found) <= limit and not self._writer.lost
        return found[:limit], whole

    async def write(self, act: Callable[..., Value], *given: object) -> Value:
        """Have something written within a transaction. Raises `NotWritten`."""
        return await self._writer.submit(lambda connection: act(connection, *given))

    async def ask(self, act: Callable[..., Value], *given: object) -> Value:
        """Do the same for a client. Raises `Problem` 503."""
        self._refuse_if_off()
        try:
            return await self.write(act, *given)
        except NotWritten as error:
            raise missing(str(error), "History can't be written") from error

    def _refuse_if_off(self) -> None:
        if not self._on:
            why = self._off_because or "set STT_SERVER_HISTORY=true to have what is said written"
            raise missing(why, "History is off")


def unknown(seq: object) -> Problem:
    return not_found(f"history has no utterance {str(seq)[:40]!r}", "Utterance not found")
