"""One thread that writes: what came meanwhile goes into one transaction.

What can't be written is tried again until it can, and said in `Writer.fault`; nobody waits for
it then. A file that is damaged is moved aside, and a new one begun.
"""

import asyncio
import contextlib
import logging
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from backend.history.tables import Newer, open_for_writing

log = logging.getLogger(__name__)

Value = TypeVar("Value")

RETRY = 0.5
"""Seconds between two tries to write what couldn't be written."""
BATCH = 1000
"""Jobs in one transaction."""
WAITING = 10_000
"""Jobs that may wait while nothing can be written; what comes then is lost, and counted."""
LEAVING = 1.0
"""Seconds that are left to write the last jobs when the server leaves."""
OWN_FAULTS = (
    sqlite3.IntegrityError,
    sqlite3.ProgrammingError,
    sqlite3.InterfaceError,
    sqlite3.DataError,
)
"""What SQLite raises where something is wrong with a job, not with the file."""
DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
CURES = {
    sqlite3.SQLITE_FULL: "the disk is full: make room, or set STT_SERVER_HISTORY_MB lower",
    sqlite3.SQLITE_BUSY: "another program holds it locked: end that",
    sqlite3.SQLITE_CANTOPEN: "let this user write there, or set STT_SERVER_DATA_DIR",
    sqlite3.SQLITE_READONLY: "let this user write there, or set STT_SERVER_DATA_DIR",
    sqlite3.SQLITE_IOERR: "the disk may be full or failing",
}


class NotWritten(Exception):
    """What was asked for can't be written now. The text says why and how to mend it."""


@dataclass(slots=True)
class _Job:
    act: Callable[[sqlite3.Connection], Any]
    done: "asyncio.Future[Any]"
    lasting: bool
    """It is tried again; otherwise it fails with `NotWritten`."""
    result: Any = None
    error: Exception | None = None


class Writer:
    """Made on the event loop that it answers to."""

    def __init__(
        self,
        path: Path,
        *,
        opened: Callable[[sqlite3.Connection], None],
        tidy: Callable[[sqlite3.Connection], float],
        changed: Callable[[str | None], None],
    ) -> None:
        """Set up; `start` begins.

        Args:
            path: the file.
            opened: called with each connection that is made.
            tidy: called on the thread in between, returns the seconds until it wants to be again.
            changed: called on the loop when writing begins to fail, with why, and when it works
                again.

        """
        self.path = path
        self.fault: str | None = None
        """Why nothing can be written now."""
        self.written = 0
        """Jobs done."""
        self.lost = 0
        """Jobs that nothing became of."""
        self.lives = 0
        """How often the file was opened."""
        self._when_opened = opened
        self._tidy = tidy
        self._tidy_at = 0.0
        self._changed = changed
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._damaged = False
        self._jobs: deque[_Job] = deque()
        self._there = threading.Condition()
        self._closing = False
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="history", daemon=True)

    @property
    def waiting(self) -> int:
        """Jobs that wait."""
        return len(self._jobs)

    def start(self) -> None:
        """Open the file and begin; what keeps it from being opened is in `fault`."""
        for _ in range(2):  # The second time, one that was damaged has been moved aside.
            try:
                self._opened()
            except (sqlite3.Error, OSError, Newer) as error:
                self._close()
                self._note(error)
                if self._damaged:
                    continue
            break
        self._thread.start()

    def submit(
        self, act: Callable[[sqlite3.Connection], Value], *, lasting: bool = False
    ) -> "asyncio.Future[Value]":
        """Have it done on the thread; the future ends once it is committed.

        Args:
            act: does it, within a transaction.
            lasting: try until it is done; otherwise the future raises `NotWritten`.

        """
        job = _Job(act, self._loop.create_future(), lasting)
        with self._there:
            if len(self._jobs) >= WAITING:
                self.lost += 1
                job.done.set_exception(NotWritten(self.fault or "too much is waiting"))
                job.done.exception()  # Nobody may be waiting.
                return job.done
            self._jobs.append(job)
            self._there.notify()
        return job.done

    def tidy_soon(self) -> None:
        """Have `tidy` called as soon as there is time."""
        with self._there:
            self._tidy_at = 0.0
            self._there.notify()

    def close(self) -> None:
        """Write what waits, if that can be done, and end the thread. Blocking."""
        with self._there:
            self._closing = True
            self._there.notify()
        self._thread.join(LEAVING)
        if self._thread.is_alive():
            log.error("history: the disk doesn't answer; %d not written", self.waiting)

    # On the thread.

    def _run(self) -> None:
        while (batch := self._next()) is not None:
            try:
                connection = self._opened()
                self._write(connection, batch)
                if self._is_untidy() and not self._closing:
                    self._tidy_at = time.monotonic() + self._tidy(connection)
            except (sqlite3.Error, OSError, Newer) as error:
                self._fail(batch, error)
            else:
                self._succeed(batch)
        if self._connection:
            self._close()

    def _next(self) -> list[_Job] | None:
        """Wait for jobs; none are returned when it is time to tidy, or to look for recovery."""
        with self._there:
            if self.fault:
                self._there.wait_for(lambda: self._closing, RETRY)
            else:
                pause = max(0.0, self._tidy_at - time.monotonic())
                wanted = lambda: self._jobs or self._closing or self._is_untidy()  # noqa: E731
                self._there.wait_for(wanted, pause)
            if self._closing and not self._jobs:
                return None
            return [self._jobs.popleft() for _ in range(min(BATCH, len(self._jobs)))]

    def _is_untidy(self) -> bool:
        return time.monotonic() >= self._tidy_at

    def _write(self, connection: sqlite3.Connection, batch: Sequence[_Job]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        for job in batch:
            try:
                job.result, job.error = job.act(connection), None
            except Exception as error:
                if isinstance(error, sqlite3.Error | OSError) and not isinstance(error, OWN_FAULTS):
                    raise
                # The job's own fault: it would never succeed, and the others must.
                log.exception("history: something can't be written")
                job.error = error
        connection.execute("COMMIT")

    def _succeed(self, batch: Sequence[_Job]) -> None:
        failed = sum(job.error is not None for job in batch)
        self.lost += failed
        self.written += len(batch) - failed
        if batch:
            self._on_loop(_settle, batch)
        if self.fault:
            self.fault = None
            self._on_loop(self._changed, None)

    def _fail(self, batch: Sequence[_Job], error: Exception) -> None:
        if self._connection:
            self._close()
        self._note(error)
        refused = [job for job in batch if not job.lasting or self._closing]
        for job in refused:
            job.error = NotWritten(self.fault)
        self.lost += sum(job.lasting for job in refused)
        with self._there:
            self._jobs.extendleft(reversed([job for job in batch if job not in refused]))
        self._on_loop(_settle, refused)

    def _note(self, error: Exception) -> None:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        self._damaged = code in DAMAGED
        cure = CURES.get(code, "")
        fault = f"{self.path}: {error}" + (f"; {cure}" if cure else "")
        if self.fault is None:
            self._on_loop(self._changed, fault)
        self.fault = fault

    def _opened(self) -> sqlite3.Connection:
        """Return the connection. Raises what opening does, and `OSError` if the file has gone."""
        if self._connection is None:
            if self._damaged:
                self._move_aside()
            self._connection = open_for_writing(self.path)
            self._file = _identity(self.path)
            self._when_opened(self._connection)
            self.lives += 1
        elif self._file != _identity(self.path):
            raise OSError("the file was removed or replaced while it was in use")
        return self._connection

    def _move_aside(self) -> None:
        aside = self.path.with_name(f"{self.path.name}.damaged-{time.time_ns()}")
        os.replace(self.path, aside)
        for end in ("-wal", "-shm"):
            beside = self.path.with_name(self.path.name + end)
            with contextlib.suppress(FileNotFoundError):
                os.replace(beside, aside.with_name(aside.name + end))
        log.error("history: the damaged file was moved to %s and a new one begun", aside)
        self._damaged = False

    def _close(self) -> None:
        if self._connection:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
        self._connection = None

    def _on_loop(self, act: Callable[..., None], *given: object) -> None:
        # The loop may have ended before the last jobs were done.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(act, *given)


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def _settle(batch: Sequence[_Job]) -> None:
    for job in batch:
        if job.done.done():
            continue
        if job.error is None:
            job.done.set_result(job.result)
        else:
            job.done.set_exception(job.error)
            job.done.exception()  # Nobody may be waiting.
