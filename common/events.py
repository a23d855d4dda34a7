"""Every fact on the wire, and its JSON.

An event is one flat JSON object in one WebSocket text frame: ``event`` (its type),
``timestamp`` (Unix seconds), ``seq`` and ``session_id``, then its own fields. Readers
ignore what they don't know: unknown fields are skipped, an unknown type is `Unknown`.

Durable events carry ``seq``, which grows by one for each of them, and can be had again
with ``since=SEQ``. Levels, partial transcriptions, progress and replies meant for one
client are not durable: they have no ``seq`` and a newer one makes an older one moot.
"""

import json
import time
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class MalformedEvent(ValueError):
    """A text that is no event: not JSON, no object, or a known type with wrong fields."""


class Shape(BaseModel):
    """A value on the wire: immutable, tolerant of fields that a newer peer may add."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)


class Word(Shape):
    """One word of a transcript."""

    text: str
    start: float
    """Seconds of the session's audio."""
    end: float
    """Seconds of the session's audio."""
    confidence: float | None = None
    """0 to 1, as measured by the engine; null when it has none."""


class EngineStatus(Shape):
    """The engine in use, and why it is this one."""

    name: str
    model: str | None = None
    state: Literal["unloaded", "loading", "ready", "failed"] = "unloaded"
    device: str | None = None
    """What computes: ``gpu``, ``cpu``, or ``remote`` where the sound leaves the machine."""
    reason: str = ""
    """Why this engine: asked for by name, or what ``auto`` found missing."""


class AudioStatus(Shape):
    """What the listening session hears."""

    device: str | None = None
    level_dbfs: float | None = None
    silent: bool | None = None
    """True when nothing but digital zeros arrive; null while nothing listens."""
    gone: bool | None = None
    """True while the microphone has disappeared and is waited for; null while nothing listens."""
    fault: str | None = None
    """What is wrong with the microphone's sound and how to mend it, as long as it is; the same
    words as the `error` event's details."""


class Event(Shape):
    """A fact, told once to everyone who listens."""

    durable: ClassVar[bool] = True

    event: str
    timestamp: float = Field(default_factory=time.time)
    """Unix seconds."""
    seq: int | None = None
    """Number of a durable event on this server, or in its cluster, where one may be left out."""
    session_id: str | None = None

    def numbered(self) -> bool:
        """Whether the event takes a sequence number and can be resumed."""
        return self.durable


MODEL_RESTS = frozenset({"ready", "installed", "stopped", "unloaded"})
"""The stages of `ModelProgress` after which nothing is under way any more."""


class SystemStatus(Event):
    """The server's own listening started, stopped or changed.

    A change may be one of `audio`: its microphone disappeared or came back, or gives nothing but
    digital zeros or sound again. The bad news come with an `error` before them, the good ones are
    told by this alone.
    """

    event: Literal["system_status"] = "system_status"
    running: bool
    active_features: list[str] = []
    profile: str | None = None
    engine: EngineStatus | None = None
    audio: AudioStatus | None = None


class SpeechDetected(Event):
    """Speech began."""

    event: Literal["speech_detected"] = "speech_detected"
    confidence: float
    """The detector's score, 0 to 1."""
    start: float
    """Seconds of the session's audio."""


class SpeechEnded(Event):
    """Speech ended."""

    event: Literal["speech_ended"] = "speech_ended"
    start: float
    """Seconds of the session's audio."""
    end: float
    """Seconds of the session's audio."""


class Transcription(Event):
    """What was said: a partial that may change, or a final that won't."""

    event: Literal["transcription"] = "transcription"
    text: str
    is_final: bool
    confidence: float | None = None
    """0 to 1, measured; null when the engine has none."""
    utterance_id: str
    start: float
    """Seconds of the session's audio."""
    end: float
    """Seconds of the session's audio."""
    language: str | None = None
    language_probability: float | None = None
    """0 to 1, where the language was detected."""
    revised: bool = False
    """A final that doesn't begin with what was called stable: the whole sound told otherwise."""
    stable: int = 0
    """Length in characters of the prefix that later partials of this utterance keep."""
    words: list[Word] | None = None
    """On finals, when the profile asks for words."""
    latency: float | None = None
    """Seconds from the end of speech (finals) or the newest sound (partials) to this event."""
    engine: str | None = None
    """The engine that read it."""

    def numbered(self) -> bool:
        return self.is_final


class WakeWord(Event):
    """A wake word was heard; the server now transcribes."""

    event: Literal["wake_word"] = "wake_word"
    wake_word: str
    confidence: float | None
    """0 to 1; null where the detector gives none."""
    timeout: float
    """Seconds in which somebody must speak."""


class WakeWordTimeout(Event):
    """Nobody spoke in time after a wake word."""

    event: Literal["wake_word_timeout"] = "wake_word_timeout"


class Level(Event):
    """How loud it is and whether it is speech, about 15 times a second."""

    durable: ClassVar[bool] = False

    event: Literal["level"] = "level"
    rms_dbfs: float
    """Decibels below full scale: 0 is the loudest, -100 is taken for silence."""
    peak_dbfs: float
    """Decibels below full scale."""
    speech: float
    """The detector's score, 0 to 1."""
    webrtc: float | None = None
    """WebRTC's own vote, 0 or 1, where it is asked."""
    silero: float | None = None
    """Silero's own probability, 0 to 1, where it is asked."""
    speaking: bool
    threshold: float | None = None
    """`speech` from which speech begins, as the profile's `vad` has it; null without a detector."""
    noise_floor_dbfs: float | None = None
    """How loud the room is: the least that the sound sank to in the last seconds."""


class ModelProgress(Event):
    """How far a model has come on its way to being ready, or that it is on its way no more.

    A download ends with ``installed`` or ``stopped``, a load with ``ready`` or an `Error`.
    """

    durable: ClassVar[bool] = False

    event: Literal["model_progress"] = "model_progress"
    model: str
    stage: Literal["download", "load", "warm-up", "ready", "installed", "stopped", "unloaded"]
    done: float = 0.0
    """In the unit of `total`; bytes for a download."""
    total: float | None = None


class SessionStarted(Event):
    """A session began to listen."""

    event: Literal["session_started"] = "session_started"
    source: str
    """``microphone``, ``file:PATH``, ``stream`` or ``upload``."""
    profile: str | None = None


class SessionStopped(Event):
    """A session ended; what it had heard was transcribed before this."""

    event: Literal["session_stopped"] = "session_stopped"
    reason: str
    """``stopped``, ``ended`` (the source has no more), ``disconnected`` or ``failed``."""


class Error(Event):
    """Something went wrong. A recoverable error leaves the session alive."""

    event: Literal["error"] = "error"
    error: str
    details: str
    recoverable: bool = True
    status_code: int | None = None
    """What REST would have answered, where a request on a socket was refused."""


class Welcome(Event):
    """The first event on every connection."""

    durable: ClassVar[bool] = False

    event: Literal["welcome"] = "welcome"
    protocol: int
    version: str
    server_id: str
    """Drawn anew at every start of the server."""
    cluster: str | None = None
    """The cluster's name: numbers are the same on all of its servers."""
    seq: int | None = None
    """The newest durable event's number when the connection was made."""
    running: bool
    profile: str | None = None
    active_features: list[str] = []
    recent: list[Transcription] = []
    """The last finals, oldest first."""
    gap: bool = False
    """Finals that ``since`` asked for are neither held nor in history, or too many to send."""
    from_history: int = 0
    """So many finals follow from history; what else was told at their time is no longer held."""


class Unknown(Event):
    """An event of a type that this version doesn't know; its fields are in ``model_extra``."""

    model_config = ConfigDict(frozen=True, extra="allow")
    durable: ClassVar[bool] = False


KINDS: tuple[type[Event], ...] = (
    SystemStatus,
    SpeechDetected,
    SpeechEnded,
    Transcription,
    WakeWord,
    WakeWordTimeout,
    Level,
    ModelProgress,
    SessionStarted,
    SessionStopped,
    Error,
    Welcome,
)
"""Every event of this version."""
_BY_NAME: dict[str, type[Event]] = {kind.model_fields["event"].default: kind for kind in KINDS}

EVENT_NAMES = tuple(_BY_NAME)
"""The types a client may ask for with ``events=``."""


def encode(event: Event) -> str:
    """Return the event as the JSON text that goes on the wire."""
    return event.model_dump_json(exclude={"seq"} if event.seq is None else None)


def parse(text: str | bytes) -> Event:
    """Return the event that a WebSocket text frame holds.

    Raises `MalformedEvent` for anything that is no event; a type that this version
    doesn't know is returned as `Unknown`.
    """
    try:
        fields = json.loads(text)
    except ValueError as error:
        raise MalformedEvent(f"not JSON: {error}") from error
    if not isinstance(fields, dict) or not isinstance(fields.get("event"), str):
        raise MalformedEvent('not an event: expected a JSON object with a text field "event"')
    try:
        return _BY_NAME.get(fields["event"], Unknown).model_validate(fields)
    except ValidationError as error:
        raise MalformedEvent(str(error)) from error


__all__ = [kind.__name__ for kind in KINDS] + [
    "EVENT_NAMES",
    "KINDS",
    "MODEL_RESTS",
    "AudioStatus",
    "EngineStatus",
    "Event",
    "MalformedEvent",
    "Unknown",
    "Word",
    "encode",
    "parse",
]
