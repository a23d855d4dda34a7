"""The REST shapes of history: what was said, asked for, found and forgotten.

Requests refuse unknown fields; answers may grow. Times are Unix seconds, but for those within a
session's sound.
"""

from typing import Literal

from pydantic import Field

from common.api import HistoryStatus
from common.events import Shape, Transcription
from common.profile import Part


class Utterance(Transcription):
    """A final of the past, as it was told. Its `seq` is its name in history."""

    audio: bool = False
    """Its sound is kept."""
    source: str | None = None
    """Where its session's sound came from; null where that isn't known any more."""
    profile: str | None = None
    """What its session listened with."""


class HistoryQuery(Part):
    """What of history is wanted; everything that is given must hold."""

    q: str | None = Field(None, max_length=500)
    """Words that were said, each by its beginning; several in "quotes" in that order."""
    session: str | None = Field(None, max_length=500)
    """Only what was said in sessions of this id."""
    before: int | None = Field(None, ge=0, le=2**62)
    """Only what has a smaller `seq`."""
    after: int | None = Field(None, ge=0, le=2**62)
    """Only what has a larger `seq`."""
    told_from: float | None = Field(None, ge=0, le=1e12)
    """Only what was told then or later, in Unix seconds."""
    told_until: float | None = Field(None, ge=0, le=1e12)
    """Only what was told before then, in Unix seconds."""


class HistoryPageQuery(HistoryQuery):
    """``GET /api/v1/history/utterances``"""

    order: Literal["newest", "oldest"] = "newest"
    """What comes first."""
    limit: int = Field(50, ge=1, le=1000)


class HistoryPage(Shape):
    """``GET /api/v1/history/utterances``"""

    utterances: list[Utterance]
    next: int | None = None
    """There is more: give this as ``before`` (as ``after``, with the oldest first)."""


class PastSession(Shape):
    """A listening of now or of the past."""

    seq: int
    """Number of its `session_started`: the id may have been used again."""
    session_id: str
    source: str
    profile: str | None = None
    started: float
    """Unix seconds."""
    ended: float | None = None
    """Unix seconds; null while it listens."""
    reason: str | None = None
    """Why it ended; ``cut off`` if its server ended first."""
    utterances: int


class PastSessionsQuery(Part):
    """``GET /api/v1/history/sessions``"""

    before: int | None = Field(None, ge=0, le=2**62)
    """Only what has a smaller `seq`."""
    limit: int = Field(50, ge=1, le=1000)


class PastSessions(Shape):
    """``GET /api/v1/history/sessions``: the newest first."""

    sessions: list[PastSession]
    next: int | None = None
    """There is more: give this as ``before``."""


class HistoryOverview(Shape):
    """``GET /api/v1/history``"""

    status: HistoryStatus
    utterances: int
    sessions: int
    oldest: float | None = None
    """When the oldest utterance was told, in Unix seconds."""
    days: float
    """How long it is kept; 0 is for ever."""
    megabytes: int
    """How large it may become; 0 is no limit."""


class HistoryDeleted(Shape):
    """What was deleted of history."""

    deleted: int
    """How many utterances, each with its sound."""


class HistoryDeleteQuery(Part):
    """``DELETE /api/v1/history``"""

    confirm: Literal["all"]
    """Said so that nobody deletes everything by mistake."""


class ExportQuery(HistoryQuery):
    """``GET /api/v1/history/export``"""

    format: Literal["txt", "md", "srt", "vtt", "json"] = "txt"
    """Of several sessions, the times of subtitles are counted from the first one's beginning."""
