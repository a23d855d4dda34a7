"""Finals on their way to the cluster, in the history's file: a killed server forgets none.

Each is put down before Redis is told of it, and removed once it came back with its number and
is in history proper. Every function runs within a transaction of the history's writer.
"""

from collections.abc import Sequence
from sqlite3 import Connection
from typing import NamedTuple

TABLE = """
CREATE TABLE IF NOT EXISTS outbox (
  origin TEXT NOT NULL,    -- the life of the server that heard it
  n INTEGER NOT NULL,      -- counts that life's events
  after INTEGER NOT NULL,  -- its number in the cluster will be above this
  event TEXT NOT NULL,     -- JSON, without a number
  PRIMARY KEY (origin, n)
) WITHOUT ROWID
"""


class Left(NamedTuple):
    """A final that an earlier life left behind."""

    origin: str
    n: int
    after: int
    event: str


def put(connection: Connection, left: Left) -> None:
    connection.execute(TABLE)
    connection.execute("INSERT OR REPLACE INTO outbox VALUES (?, ?, ?, ?)", left)


def remove(connection: Connection, origin: str, n: int) -> None:
    connection.execute("DELETE FROM outbox WHERE origin = ? AND n = ?", (origin, n))


def left_behind(connection: Connection, origin: str) -> Sequence[Left]:
    """Return what other lives than this one put down and never removed, oldest first."""
    connection.execute(TABLE)
    rows = "SELECT * FROM outbox WHERE origin != ? ORDER BY after, origin, n"
    return [Left(*row) for row in connection.execute(rows, (origin,))]
