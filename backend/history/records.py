"""What is written to the history's file, each within a transaction that the writer opens."""

import sqlite3
from pathlib import Path

from backend.hearing import Samples
from backend.history import sounds, tables
from common.events import SessionStarted, SessionStopped, Transcription, encode

STEP = 500
"""Utterances deleted in one transaction, so that what is said meanwhile needn't wait."""


def begin(event: SessionStarted, connection: sqlite3.Connection) -> None:
    """Write that a session began."""
    assert event.seq is not None
    tables.take_numbers(connection, event.seq)
    connection.execute(
        "INSERT INTO sessions (seq, session_id, source, profile, started) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (event.seq, event.session_id or "", event.source, event.profile, event.timestamp),
    )


def end(event: SessionStopped, connection: sqlite3.Connection) -> None:
    """Write that a session ended."""
    connection.execute(
        "UPDATE sessions SET ended = ?, reason = ? WHERE ended IS NULL AND session_id = ?",
        (event.timestamp, event.reason, event.session_id or ""),
    )


def add(
    event: Transcription, folder: Path, sound: Samples | None, connection: sqlite3.Connection
) -> str | None:
    """Write a final, and its sound beside it; return what kept the sound from being kept.

    Raises `sqlite3.IntegrityError` if its number is another's.
    """
    assert event.seq is not None
    size, fault = _put_down(sound, folder, event.seq)
    tables.take_numbers(connection, event.seq)
    text, session = encode(event), event.session_id or ""
    added = connection.execute(
        "INSERT INTO utterances (seq, session, session_id, told, text, event, audio) VALUES"
        " (?, (SELECT max(seq) FROM sessions WHERE session_id = ?), ?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (event.seq, session, session, event.timestamp, event.text, text, size),
    )
    if not added.rowcount:
        there = connection.execute("SELECT event FROM utterances WHERE seq = ?", (event.seq,))
        if there.fetchone()[0] != text:
            raise sqlite3.IntegrityError(f"the number {event.seq} was given before")
    return fault


def _put_down(sound: Samples | None, folder: Path, seq: int) -> tuple[int | None, str | None]:
    if sound is None:
        return None, None
    try:
        return sounds.write(folder, seq, sound), None
    except OSError as error:
        return None, f"{folder}: {error.strerror or error}"


def delete(connection: sqlite3.Connection, numbers: list[int]) -> None:
    """Delete utterances. Their sound is the caller's."""
    connection.executemany("DELETE FROM utterances WHERE seq = ?", [(seq,) for seq in numbers])


def delete_one(connection: sqlite3.Connection, seq: int) -> list[int]:
    """Delete an utterance; return the numbers of what was deleted."""
    found = connection.execute("DELETE FROM utterances WHERE seq = ? RETURNING seq", (seq,))
    return [gone for (gone,) in found]


def delete_some(connection: sqlite3.Connection, session_id: str | None, until: int) -> list[int]:
    """Delete some of what was said, of one session or of all, up to a number; return theirs."""
    of_session = "session_id = :id AND" if session_id is not None else ""
    rows = f"SELECT seq FROM utterances WHERE {of_session} seq <= :until LIMIT {STEP}"
    found = connection.execute(rows, {"id": session_id, "until": until}).fetchall()
    numbers = [seq for (seq,) in found]
    delete(connection, numbers)
    return numbers


def forget_sessions(connection: sqlite3.Connection, session_id: str | None) -> None:
    """Delete the sessions of an id, or all of them, that have ended and hold nothing."""
    of_session = "AND session_id = :id" if session_id is not None else ""
    connection.execute(f"DELETE FROM sessions WHERE {EMPTY} {of_session}", {"id": session_id})


def forget_old_sessions(connection: sqlite3.Connection, before: float) -> None:
    """Delete the sessions that ended before a time, in Unix seconds, and hold nothing."""
    connection.execute(f"DELETE FROM sessions WHERE {EMPTY} AND ended < ?", (before,))


EMPTY = "ended IS NOT NULL AND NOT EXISTS (SELECT 1 FROM utterances WHERE session = sessions.seq)"
