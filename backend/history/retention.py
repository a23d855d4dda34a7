"""How long history is kept: by age and by size, a little at a time, on the writer's thread."""

import logging
import math
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

from backend.history import records, sounds, tables
from backend.history.records import STEP

log = logging.getLogger(__name__)

EVERY = 300.0
"""Seconds from one look to the next."""
ROOM = 0.95
"""Once too large, it is made this much of what it may be, so as not to begin anew at once."""
MERGE = 64
"""Pages of the search index that are merged in one go; deleted words leave it by that."""


@dataclass
class Retention:
    """What is kept, and the state of tidying up."""

    folder: Path
    """Of the sound."""
    days: float
    """0 keeps it for ever."""
    megabytes: int
    """0 knows no bound."""
    bytes: int = 0
    """In use when it was last looked at."""
    _swept: bool = False
    _excess: int = 0
    """Utterances, the oldest, that are too much."""
    _forgetting: bool = False
    _merging: bool = False

    def forget_words(self) -> None:
        """Have deleted words leave the search index soon."""
        self._forgetting = True

    def tidy(self, connection: sqlite3.Connection) -> float:
        """Do a step; return the seconds until the next. Raises `sqlite3.Error`."""
        if not self._swept:
            rows = connection.execute("SELECT seq FROM utterances WHERE audio IS NOT NULL")
            sounds.remove_others(self.folder, {seq for (seq,) in rows})
            self._swept = True
        if self._delete(connection, self._outdated(connection)) or self._merge(connection):
            return 0.0
        connection.execute(f"PRAGMA incremental_vacuum({STEP})").fetchall()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._measure(connection)
        return 0.0 if self._excess else EVERY

    def _outdated(self, connection: sqlite3.Connection) -> list[int]:
        """Return the numbers of some utterances that are too old or too much."""
        if self.days:
            rows = "SELECT seq FROM utterances WHERE told < ? ORDER BY told LIMIT ?"
            found = connection.execute(rows, (time.time() - self.days * 86400, STEP)).fetchall()
            if found:
                return [seq for (seq,) in found]
        some = min(STEP, self._excess)
        self._excess -= some
        oldest = connection.execute("SELECT seq FROM utterances ORDER BY seq LIMIT ?", (some,))
        return [seq for (seq,) in oldest]

    def _measure(self, connection: sqlite3.Connection) -> None:
        """See how much is too much. What was deleted must have left the search index."""
        self.bytes = tables.size(connection)
        limit = self.megabytes << 20
        if limit and self.bytes > limit:
            count = connection.execute("SELECT count(*) FROM utterances").fetchone()[0]
            self._excess = math.ceil(count * (1 - limit * ROOM / self.bytes))

    def _delete(self, connection: sqlite3.Connection, outdated: list[int]) -> bool:
        connection.execute("BEGIN IMMEDIATE")
        if outdated:
            records.delete(connection, outdated)
            floor = max(*outdated, tables.number(connection, "floor") or 0)
            tables.set_number(connection, "floor", floor)
        if self.days:
            records.forget_old_sessions(connection, time.time() - self.days * 86400)
        elif outdated:
            oldest = connection.execute("SELECT min(told) FROM utterances").fetchone()[0]
            records.forget_old_sessions(connection, oldest or time.time())
        connection.execute("COMMIT")
        if not outdated:
            return False
        log.info("history: %d utterances went beyond what is kept", len(outdated))
        sounds.remove(self.folder, outdated)
        self._forgetting = True
        return True

    def _merge(self, connection: sqlite3.Connection) -> bool:
        """Merge a part of the search index, if words must leave it; say whether one did."""
        if not (self._forgetting or self._merging):
            return False
        self._merging = merge(connection, -MERGE if self._forgetting else MERGE)
        self._forgetting = False
        return True


def merge(connection: sqlite3.Connection, pages: int) -> bool:
    """Merge some of the search index, which drops what was deleted; say whether there is more.

    The first time, with the number of pages negative, all of it is put up for merging.
    """
    before = connection.total_changes
    connection.execute("INSERT INTO spoken (spoken, rank) VALUES ('merge', ?)", (pages,))
    return connection.total_changes - before >= 2
