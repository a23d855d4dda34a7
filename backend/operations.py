"""What one method of one path does, and those of history. `backend.openapi` has the others."""

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from common.api import Success
from common.history import (
    ExportQuery,
    HistoryDeleted,
    HistoryDeleteQuery,
    HistoryOverview,
    HistoryPage,
    HistoryPageQuery,
    PastSessions,
    PastSessionsQuery,
    Utterance,
)
from common.sinks import Letters, Requeued, SinkList

Json = dict[str, Any]

SESSION_ID: Json = {"type": "string", "minLength": 1}
SEQ: Json = {"type": "integer", "minimum": 0}


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    method: Literal["get", "post", "put", "patch", "delete"]
    path: str
    summary: str
    answer: type[BaseModel] | str
    """The shape of the answer's JSON, or the content type of one that isn't."""
    takes: type[BaseModel] | None = None
    """The shape of the body."""
    refusals: tuple[int, ...] = ()
    """The statuses it may refuse with, beside those that all have."""
    open: bool = False
    """It wants no token."""
    parameters: tuple[tuple[str, Json], ...] = ()
    """Names in the path, and what they may be."""
    asks: type[BaseModel] | None = None
    """The shape of the query."""

    @property
    def tag(self) -> str:
        parts = self.path.split("/")
        return parts[3] if self.path.startswith("/api/v1/") else "server"

    @property
    def name(self) -> str:
        """A word for programs that make clients from the document: ``post_system_start``."""
        words = self.path.removeprefix("/api/v1").replace(".", "_").split("/")
        return "_".join([self.method, *(word.strip("{}") for word in words if word)])


SESSION = (("session_id", SESSION_ID),)
_SEQ = (("seq", SEQ),)
_PAST = "/api/v1/history"
_DELETED = Success[HistoryDeleted]

HISTORY = (
    Operation("get", _PAST, "How much history there is", HistoryOverview, None, (503,)),
    Operation(
        "delete",
        _PAST,
        "Delete all of history",
        _DELETED,
        None,
        (400, 503),
        asks=HistoryDeleteQuery,
    ),
    Operation(
        "get",
        f"{_PAST}/sessions",
        "The sessions of now and of the past, the newest first",
        PastSessions,
        None,
        (400, 503),
        asks=PastSessionsQuery,
    ),
    Operation(
        "delete",
        f"{_PAST}/sessions/{{session_id}}",
        "Delete what was said in sessions of an id",
        _DELETED,
        None,
        (404, 503),
        parameters=SESSION,
    ),
    Operation(
        "get",
        f"{_PAST}/utterances",
        "What was said, by words, session and time",
        HistoryPage,
        None,
        (400, 503),
        asks=HistoryPageQuery,
    ),
    Operation(
        "get",
        f"{_PAST}/utterances/{{seq}}",
        "An utterance",
        Utterance,
        None,
        (404, 503),
        parameters=_SEQ,
    ),
    Operation(
        "delete",
        f"{_PAST}/utterances/{{seq}}",
        "Delete an utterance and its sound",
        _DELETED,
        None,
        (404, 503),
        parameters=_SEQ,
    ),
    Operation(
        "get",
        f"{_PAST}/utterances/{{seq}}/audio",
        "An utterance's sound, where the profile had it kept",
        "audio/flac",
        None,
        (404, 503),
        parameters=_SEQ,
    ),
    Operation(
        "get",
        f"{_PAST}/export",
        "What was said as a file",
        "*/*",
        None,
        (400, 503),
        asks=ExportQuery,
    ),
)

_NAME = (("name", {"type": "string", "enum": ["webhook", "redis", "postgres"]}),)
_SINKS = "/api/v1/system/sinks"

SINKS = (
    Operation("get", _SINKS, "Who outside is told what was said, and how that goes", SinkList),
    Operation(
        "get",
        f"{_SINKS}/{{name}}/letters",
        "Finals that a sink did not take",
        Letters,
        None,
        (404, 503),
        parameters=_NAME,
    ),
    Operation(
        "post",
        f"{_SINKS}/{{name}}/requeue",
        "Have the finals that a sink did not take tried again",
        Success[Requeued],
        None,
        (404, 503),
        parameters=_NAME,
    ),
)
