"""PostgreSQL: a row a final, of this server's history and others'."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from backend.secret import without_secrets
from backend.sinks.feed import Refused
from backend.sinks.places import Said
from backend.sinks.redis import Missing
from common.events import Transcription

if TYPE_CHECKING:
    from asyncpg import Connection

TIMEOUT = 10.0
"""Seconds for connecting, and for an answer."""
TABLES = """
CREATE SCHEMA IF NOT EXISTS stt;
CREATE TABLE IF NOT EXISTS stt.utterances (
  origin text NOT NULL,
  seq bigint NOT NULL,
  session_id text NOT NULL,
  utterance_id text NOT NULL,
  told timestamptz NOT NULL,
  text text NOT NULL,
  starts double precision NOT NULL,
  ends double precision NOT NULL,
  language text,
  confidence double precision,
  engine text,
  event jsonb NOT NULL,
  PRIMARY KEY (origin, seq)
);
CREATE INDEX IF NOT EXISTS utterances_told ON stt.utterances (told);
"""
COLUMNS = "session_id, utterance_id, told, text, starts, ends, language, confidence, engine, event"
UPSERT = f"""
INSERT INTO stt.utterances (origin, seq, {COLUMNS})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (origin, seq) DO UPDATE SET ({COLUMNS}) =
  ROW ({", ".join("excluded." + name for name in COLUMNS.split(", "))})
"""


class Postgres:
    """A transaction a batch; what is there already is written over with the same."""

    name = "postgres"
    batch = 500
    whole = True
    patience = float("inf")

    def __init__(self, url: str, origin: str) -> None:
        self.target = f"{without_secrets(url)}, table stt.utterances"
        self._url = url
        self._origin = origin
        self._connection: Connection[Any] | None = None

    async def open(self) -> None:
        """Connect, and make the table if it isn't there. Raises `Missing`, or what asyncpg does."""
        try:
            import asyncpg
        except ImportError as error:
            told = "asyncpg is not installed: pip install 'realtime-mlx-stt[sinks]'"
            raise Missing(told) from error
        self._connection = await asyncpg.connect(
            self._url, timeout=TIMEOUT, command_timeout=TIMEOUT
        )
        await self._connection.execute(TABLES)

    async def close(self) -> None:
        if self._connection:
            self._connection.terminate()
        self._connection = None

    async def deliver(self, finals: Sequence[Said]) -> None:
        """Write finals in a transaction. Raises `Refused`, or what asyncpg does."""
        assert self._connection
        import asyncpg

        rows = [self._row(said) for said in finals]
        try:
            async with self._connection.transaction():
                await self._connection.executemany(UPSERT, rows)
        except asyncpg.DataError as error:
            raise Refused(str(error)) from error

    def _row(self, said: Said) -> tuple[object, ...]:
        event = Transcription.model_validate_json(said.event)
        return (
            self._origin,
            said.seq,
            _without_nul(event.session_id or ""),
            _without_nul(event.utterance_id),
            datetime.fromtimestamp(event.timestamp, UTC),
            _without_nul(event.text),
            event.start,
            event.end,
            event.language,
            event.confidence,
            event.engine,
            said.event.replace("\\u0000", ""),
        )


def _without_nul(text: str) -> str:
    """PostgreSQL's text can't hold the character."""
    return text.replace("\0", "")
