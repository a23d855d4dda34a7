"""The history's file: its tables, how it is opened, and the numbers that outlive a process.

In WAL mode with ``synchronous=NORMAL`` a commit is in the operating system's hands: killing the
process loses nothing, a power cut may lose the last commits but never damages what is there.
"""

import os
import secrets
import sqlite3
import time
from pathlib import Path
from urllib.parse import quote

VERSION = 1
PATIENCE = 1.0
"""Seconds to wait for another program that holds the file locked."""
AHEAD = 100_000
"""Numbers that are taken in advance: a life that was cut short leaves none to be given twice."""
CUT_OFF = "cut off"
"""The reason of sessions that ended with their server's life."""

SCHEMA = """
CREATE TABLE sessions (
  seq INTEGER PRIMARY KEY,  -- of its session_started
  session_id TEXT NOT NULL,
  source TEXT NOT NULL,
  profile TEXT,
  started REAL NOT NULL,    -- Unix seconds
  ended REAL,
  reason TEXT
);
CREATE INDEX sessions_by_id ON sessions (session_id, seq);
CREATE TABLE utterances (
  seq INTEGER PRIMARY KEY,
  session INTEGER,          -- sessions.seq
  session_id TEXT NOT NULL,
  told REAL NOT NULL,       -- Unix seconds
  text TEXT NOT NULL,
  event TEXT NOT NULL,      -- the JSON that was told
  audio INTEGER             -- bytes of its sound, if that was kept
);
CREATE INDEX utterances_by_session ON utterances (session, seq);
CREATE INDEX utterances_by_id ON utterances (session_id, seq);
CREATE INDEX utterances_by_time ON utterances (told);
CREATE VIRTUAL TABLE spoken USING fts5 (
  text, content='utterances', content_rowid='seq', tokenize='unicode61 remove_diacritics 2'
);
CREATE TRIGGER utterance_added AFTER INSERT ON utterances BEGIN
  INSERT INTO spoken (rowid, text) VALUES (new.seq, new.text);
END;
CREATE TRIGGER utterance_removed AFTER DELETE ON utterances BEGIN
  INSERT INTO spoken (spoken, rowid, text) VALUES ('delete', old.seq, old.text);
END;
CREATE TABLE places (name TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;  -- of sinks
CREATE TABLE letters (      -- finals that a sink did not take
  name TEXT NOT NULL,
  seq INTEGER NOT NULL,
  fault TEXT NOT NULL,
  tries INTEGER NOT NULL,
  given_up REAL NOT NULL,   -- Unix seconds
  again INTEGER NOT NULL,
  PRIMARY KEY (name, seq)
) WITHOUT ROWID;
CREATE TABLE numbers (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""


class Newer(Exception):
    """The file was written by a newer version of the server."""


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Open the file, made if there is none. Transactions are the caller's.

    Raises `sqlite3.Error`, `OSError` or `Newer`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # What was said is nobody else's business; SQLite's other files take after this one.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(
        path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
    )
    try:
        _set_up(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open a file that is there. Raises `sqlite3.Error`."""
    uri = f"file:{quote(str(path))}?mode=ro"
    return sqlite3.connect(
        uri, uri=True, timeout=PATIENCE, isolation_level=None, check_same_thread=False
    )


def _set_up(connection: sqlite3.Connection) -> None:
    # Of these, auto_vacuum must come before anything is written.
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA secure_delete = ON")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise Newer(f"it was written by a newer version ({version}; this one knows {VERSION})")
    if version < VERSION:
        connection.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")


def begin_life(connection: sqlite3.Connection, first: int | None, latest: int) -> int:
    """Take the numbers of a server's life; end the sessions that an earlier one left open.

    Args:
        connection: just opened.
        first: the number before this life's first, or None if it has yet to begin.
        latest: the newest number given in this life.

    Returns the number before this life's first.

    """
    connection.execute("BEGIN IMMEDIATE")
    taken = number(connection, "taken") or 0
    if first is None:
        first = max(int(time.time() * 1000), taken)
    if number(connection, "floor") is None:
        set_number(connection, "floor", max(first, latest))
    if number(connection, "origin") is None:
        set_number(connection, "origin", secrets.randbits(48))
    set_number(connection, "taken", max(first, latest, taken) + AHEAD)
    connection.execute(
        "UPDATE sessions SET reason = ?, ended = coalesce("
        "(SELECT max(told) FROM utterances WHERE session = sessions.seq), started)"
        " WHERE ended IS NULL AND seq <= ?",
        (CUT_OFF, first),
    )
    connection.execute("COMMIT")
    return first


def take_numbers(connection: sqlite3.Connection, seq: int) -> None:
    """See that numbers are taken well beyond this one."""
    connection.execute(
        "UPDATE numbers SET value = ? WHERE name = 'taken' AND value < ?",
        (seq + AHEAD, seq + AHEAD // 2),
    )


def number(connection: sqlite3.Connection, name: str) -> int | None:
    """Return a number by its name: ``taken`` in advance, the ``floor`` under which finals are
    missing, or the ``origin`` that names this history among others.
    """
    row = connection.execute("SELECT value FROM numbers WHERE name = ?", (name,)).fetchone()
    return row[0] if row else None


def set_number(connection: sqlite3.Connection, name: str, value: int) -> None:
    connection.execute("INSERT OR REPLACE INTO numbers VALUES (?, ?)", (name, value))


def size(connection: sqlite3.Connection) -> int:
    """Return the bytes that are in use, those of sound included."""
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    free = connection.execute("PRAGMA freelist_count").fetchone()[0]
    each = connection.execute("PRAGMA page_size").fetchone()[0]
    return int((pages - free) * each) + sound_size(connection)


def sound_size(connection: sqlite3.Connection) -> int:
    """Return the bytes of the sound that is kept."""
    rows = "SELECT coalesce(sum(audio), 0) FROM utterances WHERE audio IS NOT NULL"
    return int(connection.execute(rows).fetchone()[0])
