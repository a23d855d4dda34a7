"""Every method of every path in one table, which a test compares with the routes."""

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from backend import meters
from common.api import (
    Configured,
    ConfigureRequest,
    Devices,
    DoctorReport,
    Health,
    NamedProfile,
    ProfileDeleted,
    Profiles,
    ProfileSaved,
    SessionClosed,
    SessionOpened,
    SessionRequest,
    Sessions,
    SessionTuned,
    Started,
    StartRequest,
    Status,
    Stopped,
    Success,
    TranscribeRequest,
    Transcript,
    TranscriptionStatus,
    TuneRequest,
)
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
from common.models import (
    Engines,
    LoadRequest,
    ModelDeleted,
    ModelLoaded,
    ModelPulling,
    ModelRequest,
    Models,
    ModelUnloaded,
    PullCancelled,
)
from common.profile import NAME, Profile
from common.sinks import Letters, Requeued, SinkList

Json = dict[str, Any]

SESSION_ID: Json = {"type": "string", "minLength": 1}
PROFILE_NAME: Json = {"type": "string", "pattern": f"^{NAME.pattern}$"}
FILE_NAME: Json = {"type": "string", "minLength": 1}
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

_PROFILE = (("name", PROFILE_NAME),)
_FILE = (("name", FILE_NAME),)
_V1 = "/api/v1"

OPERATIONS = (
    Operation("get", "/health", "Whether the server lives", Health, open=True),
    Operation("get", "/metrics", "Figures for Prometheus", meters.CONTENT_TYPE),
    Operation("get", "/", "The web page", "text/html; charset=utf-8", open=True),
    Operation("get", "/web/{name}", "A file of the web page", "*/*", None, (404,), True, _FILE),
    Operation("get", "/openapi.json", "This document", "application/json", open=True),
    Operation("get", "/docs", "This document in Swagger UI", "text/html; charset=utf-8", open=True),
    Operation("get", "/redoc", "This document in Redoc", "text/html; charset=utf-8", open=True),
    Operation("get", "/docs/{name}", "A file of those two", "*/*", None, (404,), True, _FILE),
    Operation("get", f"{_V1}/system/status", "State and configuration", Status),
    Operation(
        "post",
        f"{_V1}/system/start",
        "Start the server's own listening",
        Success[Started],
        StartRequest,
        (400, 404, 409, 413, 429, 503),
    ),
    Operation(
        "post",
        f"{_V1}/system/stop",
        "Stop all transcription; speech in progress is finished and delivered first",
        Success[Stopped],
        None,
        (409,),
    ),
    Operation("get", f"{_V1}/system/profiles", "The profiles, and the default", Profiles),
    Operation(
        "get",
        f"{_V1}/system/profiles/{{name}}",
        "A profile",
        NamedProfile,
        None,
        (400, 404),
        parameters=_PROFILE,
    ),
    *(
        Operation(
            method,
            f"{_V1}/system/profiles/{{name}}",
            "Save a profile, or replace a saved one",
            Success[ProfileSaved],
            Profile,
            (400, 409, 413, 503),
            parameters=_PROFILE,
        )
        for method in ("post", "put")
    ),
    Operation(
        "delete",
        f"{_V1}/system/profiles/{{name}}",
        "Delete a saved profile",
        Success[ProfileDeleted],
        None,
        (404, 409, 503),
        parameters=_PROFILE,
    ),
    Operation(
        "get",
        f"{_V1}/system/profiles/{{name}}/export",
        "A profile as a file, to be saved under any name",
        Profile,
        None,
        (400, 404),
        parameters=_PROFILE,
    ),
    Operation("get", f"{_V1}/system/devices", "Input devices", Devices, None, (503,)),
    Operation("get", f"{_V1}/system/doctor", "What this machine lacks", DoctorReport),
    Operation("get", f"{_V1}/system/engines", "Engines, and what they lack", Engines),
    Operation("get", f"{_V1}/system/models", "Models, and where they are", Models),
    Operation(
        "post",
        f"{_V1}/system/models/pull",
        "Download a model; events tell how far it is",
        Success[ModelPulling],
        ModelRequest,
        (400, 404, 413, 503),
    ),
    Operation(
        "post",
        f"{_V1}/system/models/cancel",
        "Stop a download; what came of it stays for the next one",
        Success[PullCancelled],
        ModelRequest,
        (400, 409, 413),
    ),
    Operation(
        "post",
        f"{_V1}/system/models/load",
        "Load a model and warm it up",
        Success[ModelLoaded],
        LoadRequest,
        (400, 413, 503),
    ),
    Operation(
        "post",
        f"{_V1}/system/models/unload",
        "Give a model's memory back",
        Success[ModelUnloaded],
        ModelRequest,
        (400, 404, 409, 413),
    ),
    Operation(
        "delete",
        f"{_V1}/system/models/{{name}}",
        "Delete a downloaded model",
        Success[ModelDeleted],
        None,
        (400, 404, 409, 503),
        parameters=_FILE,
    ),
    Operation(
        "post",
        f"{_V1}/transcription/configure",
        "Change what every session starts with",
        Success[Configured],
        ConfigureRequest,
        (400, 413, 503),
    ),
    Operation(
        "get", f"{_V1}/transcription/status", "How engine and sessions do", TranscriptionStatus
    ),
    Operation("get", f"{_V1}/transcription/sessions", "The open sessions", Sessions),
    Operation(
        "post",
        f"{_V1}/transcription/sessions",
        "Open a session that is fed with requests",
        Success[SessionOpened],
        SessionRequest,
        (400, 404, 409, 413, 503),
    ),
    Operation(
        "patch",
        f"{_V1}/transcription/sessions/{{session_id}}",
        "Change a session while it listens",
        Success[SessionTuned],
        TuneRequest,
        (400, 404, 409, 413, 503),
        parameters=SESSION,
    ),
    Operation(
        "delete",
        f"{_V1}/transcription/sessions/{{session_id}}",
        "End a session; what it still holds is transcribed first",
        Success[SessionClosed],
        None,
        (404,),
        parameters=SESSION,
    ),
    Operation(
        "post",
        f"{_V1}/transcription/transcribe",
        "Transcribe a recording, or feed a session a chunk",
        Transcript,
        TranscribeRequest,
        (400, 404, 409, 413, 415, 503),
    ),
    *HISTORY,
    *SINKS,
)
