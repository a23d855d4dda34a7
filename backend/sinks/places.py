"""How far each sink has come, and what it did not take, in the history's file."""

import sqlite3
import time
from collections.abc import Sequence
from typing import NamedTuple

from common.sinks import Letter

MOST = 1000
"""Letters that are listed."""


class Said(NamedTuple):
    """A final for a sink."""

    seq: int
    event: str
    """The JSON that was told."""


def find(connection: sqlite3.Connection, name: str) -> int | None:
    """Return the number of the last final that was delivered; None before the first."""
    row = connection.execute("SELECT seq FROM places WHERE name = ?", (name,)).fetchone()
    return row[0] if row else None


def save(connection: sqlite3.Connection, name: str, seq: int) -> None:
    """Write down how far a sink has come."""
    connection.execute("INSERT OR REPLACE INTO places VALUES (?, ?)", (name, seq))


def after(connection: sqlite3.Connection, seq: int, limit: int) -> list[Said]:
    """Return the finals after a number, in order."""
    rows = "SELECT seq, event FROM utterances WHERE seq > ? ORDER BY seq LIMIT ?"
    return [Said(*row) for row in connection.execute(rows, (seq, limit))]


def lag(connection: sqlite3.Connection, seq: int) -> int:
    """Return how many finals come after a number."""
    rows = "SELECT count(*) FROM utterances WHERE seq > ?"
    return int(connection.execute(rows, (seq,)).fetchone()[0])


def put_aside(connection: sqlite3.Connection, name: str, seq: int, fault: str, tries: int) -> None:
    """Keep a final aside that was not taken, and go on after it."""
    connection.execute(
        "INSERT OR REPLACE INTO letters VALUES (?, ?, ?, ?, ?, 0)",
        (name, seq, fault, tries, time.time()),
    )


def take_back(connection: sqlite3.Connection, name: str, numbers: Sequence[int]) -> None:
    """Forget letters that were delivered."""
    rows = [(name, seq) for seq in numbers]
    connection.executemany("DELETE FROM letters WHERE name = ? AND seq = ?", rows)


def again(connection: sqlite3.Connection, name: str, limit: int) -> list[Said]:
    """Return the letters that are to be tried again, in order."""
    rows = (
        "SELECT seq, event FROM letters JOIN utterances USING (seq)"
        " WHERE name = ? AND again ORDER BY seq LIMIT ?"
    )
    return [Said(*row) for row in connection.execute(rows, (name, limit))]


def requeue(connection: sqlite3.Connection, name: str) -> int:
    """Put all letters of a sink up to be tried again; return how many those are."""
    connection.execute(
        "DELETE FROM letters WHERE seq NOT IN (SELECT seq FROM utterances)"
    )  # What was deleted from history goes nowhere any more.
    return connection.execute("UPDATE letters SET again = 1 WHERE name = ?", (name,)).rowcount


def letters(connection: sqlite3.Connection, name: str) -> list[Letter]:
    """Return what a sink did not take, the oldest first."""
    rows = (
        "SELECT seq, text, fault, tries, given_up, again FROM letters"
        f" JOIN utterances USING (seq) WHERE name = ? ORDER BY seq LIMIT {MOST}"
    )
    names = ("seq", "text", "fault", "tries", "given_up", "again")
    found = connection.execute(rows, (name,))
    return [Letter.model_validate(dict(zip(names, row, strict=True))) for row in found]


def count_letters(connection: sqlite3.Connection, name: str) -> int:
    rows = "SELECT count(*) FROM letters JOIN utterances USING (seq) WHERE name = ?"
    return int(connection.execute(rows, (name,)).fetchone()[0])
