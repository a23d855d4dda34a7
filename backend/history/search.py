"""What was said, when and by whom: everything that is read from the history's file. Blocking."""

import contextlib
import re
import sqlite3
from pathlib import Path
from typing import Any, Literal

from backend.history.tables import open_for_reading
from common.export import export as written
from common.history import (
    ExportQuery,
    HistoryPage,
    HistoryPageQuery,
    HistoryQuery,
    PastSession,
    PastSessions,
    PastSessionsQuery,
    Utterance,
)

WISH = re.compile(r'"([^"]*)"?|(\S+)')
"""A phrase in quotes, or a word."""
UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]"
)
"""Scripts that write without spaces: there a word is found within others."""
COLUMNS = "u.seq, u.event, u.audio, s.source, s.profile"
SESSION = "LEFT JOIN sessions s ON s.seq = u.session"


def find(connection: sqlite3.Connection, query: HistoryPageQuery) -> HistoryPage:
    """Return a page of utterances."""
    rows = _rows(connection, query, "ASC" if query.order == "oldest" else "DESC", query.limit + 1)
    found = [_utterance(*row) for *row, _ in rows]
    page = found[: query.limit]
    return HistoryPage(utterances=page, next=page[-1].seq if len(found) > len(page) else None)


def export(connection: sqlite3.Connection, query: ExportQuery) -> str:
    """Return everything that fits as a file of the format, oldest first.

    Sessions that had the same id are told apart by a number.
    """
    turns: dict[str, list[int]] = {}
    found = []
    for *row, session in _rows(connection, query, "ASC", -1):
        said = _utterance(*row)
        of_its_id = turns.setdefault(said.session_id or "", [])
        if session not in of_its_id:
            of_its_id.append(session)
        if turn := of_its_id.index(session):
            said = said.model_copy(update={"session_id": f"{said.session_id} ({turn + 1})"})
        found.append(said)
    return written(query.format, found)


def _rows(
    connection: sqlite3.Connection, query: HistoryQuery, order: Literal["ASC", "DESC"], limit: int
) -> sqlite3.Cursor:
    source, conditions, given = _wanted(query)
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    columns = f"{COLUMNS}, u.session FROM {source} {SESSION}"
    rows = f"SELECT {columns} {where} ORDER BY u.seq {order} LIMIT ?"
    return connection.execute(rows, [*given, limit])


def one(connection: sqlite3.Connection, seq: int) -> Utterance | None:
    """Return an utterance by its number."""
    rows = f"SELECT {COLUMNS} FROM utterances u {SESSION} WHERE u.seq = ?"
    found = connection.execute(rows, (seq,)).fetchone()
    return _utterance(*found) if found else None


def told(connection: sqlite3.Connection, after: int, below: int, limit: int) -> list[str]:
    """Return the finals numbered between the two as they were told, oldest first.

    One more than the limit are returned where there are.
    """
    rows = "SELECT event FROM utterances WHERE seq > ? AND seq < ? ORDER BY seq LIMIT ?"
    return [event for (event,) in connection.execute(rows, (after, below, limit + 1))]


def sessions(connection: sqlite3.Connection, query: PastSessionsQuery) -> PastSessions:
    """Return a page of sessions, the newest first."""
    rows = (
        "SELECT seq, session_id, source, profile, started, ended, reason,"
        " (SELECT count(*) FROM utterances WHERE session = sessions.seq)"
        " FROM sessions WHERE seq < ? ORDER BY seq DESC LIMIT ?"
    )
    before = 2**63 - 1 if query.before is None else query.before
    names = ("seq", "session_id", "source", "profile", "started", "ended", "reason", "utterances")
    found = [
        PastSession.model_validate(dict(zip(names, row, strict=True)))
        for row in connection.execute(rows, (before, query.limit + 1))
    ]
    page = found[: query.limit]
    return PastSessions(sessions=page, next=page[-1].seq if len(found) > len(page) else None)


def known(connection: sqlite3.Connection, session_id: str) -> bool:
    """Whether there is a session of this id."""
    rows = "SELECT 1 FROM sessions WHERE session_id = ? LIMIT 1"
    return connection.execute(rows, (session_id,)).fetchone() is not None


def counts(connection: sqlite3.Connection) -> tuple[int, int, float | None]:
    """Return how many utterances and sessions there are, and when the oldest was told."""
    utterances, oldest = connection.execute("SELECT count(*), min(told) FROM utterances").fetchone()
    return utterances, connection.execute("SELECT count(*) FROM sessions").fetchone()[0], oldest


def examine(path: Path) -> tuple[int, int]:
    """Return how many utterances and sessions a file holds. Raises `sqlite3.Error`."""
    with contextlib.closing(open_for_reading(path)) as connection:
        return counts(connection)[:2]


def _wanted(query: HistoryQuery) -> tuple[str, list[str], list[Any]]:
    """Return a query's tables, conditions and values."""
    source, conditions, given = "utterances u", [], []
    bounds = {
        "u.session_id = ?": query.session,
        "u.seq < ?": query.before,
        "u.seq > ?": query.after,
        "u.told >= ?": query.told_from,
        "u.told < ?": query.told_until,
    }
    for condition, value in bounds.items():
        if value is not None:
            conditions.append(condition)
            given.append(value)
    words, within = _terms(query.q or "")
    if words:
        source = "utterances u JOIN spoken ON spoken.rowid = u.seq"
        conditions.append("spoken MATCH ?")
        given.append(" ".join(words))
    for part in within:
        conditions.append("instr(u.text, ?)")
        given.append(part)
    return source, conditions, given


def _terms(text: str) -> tuple[list[str], list[str]]:
    """Return what to ask the index for, and what to look for within the text itself."""
    words, within = [], []
    for phrase, word in WISH.findall(text.replace("\0", " ")):
        if UNSPACED.search(phrase or word):
            within.append(phrase or word)
        elif phrase.strip():
            words.append(f'"{phrase}"')
        elif word:
            doubled = word.replace('"', '""')
            words.append(f'"{doubled}"*')
    return words, within


def _utterance(
    seq: int, event: str, audio: int | None, source: str | None, profile: str | None
) -> Utterance:
    told = {"seq": seq, "audio": audio is not None, "source": source, "profile": profile}
    return Utterance.model_validate_json(event).model_copy(update=told)
