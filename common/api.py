"""The REST shapes. Requests refuse unknown fields; answers may grow.

Times are in seconds; ``timestamp`` in errors is ISO 8601 in UTC.
"""

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import Field, StringConstraints

from common.events import AudioStatus, EngineStatus, Shape, Word
from common.profile import Options, Part, TranscriptionPart


class Fault(Shape):
    """The body of every refusal."""

    error: str
    """What happened, in few words."""
    details: str
    """What was wrong, and how to mend it."""
    status_code: int
    timestamp: str


class Health(Shape):
    """``GET /health``"""

    status: Literal["healthy"] = "healthy"
    version: str
    connections: int
    """WebSocket clients of the event stream."""
    uptime: float


class SessionInfo(Shape):
    """One listening, from one source."""

    session_id: str
    source: str
    profile: str | None = None
    started: float
    """Unix seconds."""
    audio_seconds: float
    """Sound heard so far."""
    finals: int
    lost_seconds: float = 0.0
    """Sound dropped because it came faster than it could be taken in."""


class Status(Shape):
    """``GET /api/v1/system/status``"""

    status: Literal["online"] = "online"
    version: str
    uptime: float
    running: bool
    starts: int = 0
    """How often the server's own listening was started since the server came up."""
    profile: str | None
    active_features: list[str]
    active_connections: int
    sessions: list[SessionInfo]
    engine: EngineStatus
    audio: AudioStatus
    wake_word: "WakeWordStatus | None" = None
    """Null where nothing listens, or the profile has no wake word."""
    history: "HistoryStatus | None" = None
    cluster: "ClusterStatus | None" = None
    """Null for a server on its own; the other fields are this server's alone."""


class WakeWordStatus(Shape):
    """How a session waits for its wake word."""

    detector: str
    reason: str
    """Why this detector: asked for by name, or what ``auto`` found."""
    words: list[str]
    awake: bool
    """What is said now is transcribed."""


class HistoryStatus(Shape):
    """Whether what is said is written down."""

    state: Literal["on", "off", "failing"]
    """``failing``: finals are told unwritten, and written once that works again."""
    fault: str | None = None
    """Why it is failing, or off against the settings, and how to mend it."""
    waiting: int = 0
    """Finals and marks of sessions that wait to be written."""
    lost: int = 0
    """How many were not written, and won't be."""
    bytes: int = 0
    """Disk in use when it was last looked at, sound included."""


class ClusterStatus(Shape):
    """How a server does as one of several."""

    name: str
    state: Literal["joining", "up", "failing"]
    """``failing``: Redis can't be reached; finals wait until it can."""
    fault: str | None = None
    waiting: int = 0
    """Durable events of this server that wait to be told."""
    lost: int = 0
    """How many were not told, and won't be: no finals."""
    round_trip: float | None = None
    """Seconds that the newest event of this server took to Redis and back."""
    jobs: int = 0
    """Recordings that are being read for the cluster here."""


class Finding(Shape):
    """What one check of the doctor found."""

    name: str
    """What was looked at."""
    state: Literal["ok", "note", "fault"]
    """``note`` is worth knowing, ``fault`` keeps the server from its work."""
    found: str
    cure: str | None = None
    """How to mend it; null where nothing has to be."""


class DoctorReport(Shape):
    """``GET /api/v1/system/doctor``"""

    version: str
    healthy: bool
    """There is no fault."""
    findings: list[Finding]


class StartRequest(Part):
    """``POST /api/v1/system/start``"""

    profile: str | None = None
    """Null takes the server's default profile."""
    custom_config: dict[str, Any] = {}
    """Laid deeply over the profile, then validated; another engine comes without the first one's
    model and options."""
    restart: bool = False
    """Replace a session that runs already."""


class Started(Shape):
    """What ``start`` did."""

    started: bool
    session_id: str
    profile: str
    active_features: list[str]


class Stopped(Shape):
    """What ``stop`` did."""

    stopped: bool
    sessions: int
    """How many were stopped."""


class SessionRequest(Part):
    """``POST /api/v1/transcription/sessions``"""

    profile: str | None = None
    custom_config: dict[str, Any] = {}
    session_id: str | None = Field(None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    """The client's own name for the session; null has the server draw one."""


class AudioHello(SessionRequest):
    """The first text frame on ``/api/v1/audio``."""

    sample_rate: int = Field(16000, ge=4000, le=384000)
    """Samples a second."""
    encoding: Literal["pcm_s16le", "pcm_f32le"] = "pcm_s16le"
    """Little-endian samples: 16-bit integers, or 32-bit floats from -1 to 1."""
    channels: int = Field(1, ge=1, le=32)
    """Interleaved channels; they are mixed to one."""


class SessionOpened(Shape):
    """A session fed by the client is open."""

    session_id: str


class SessionClosed(Shape):
    """A session fed by the client was ended."""

    stopped: bool
    text: str
    """Everything it heard, its last words included."""


class Sessions(Shape):
    """``GET /api/v1/transcription/sessions``"""

    sessions: list[SessionInfo]


class TuneRequest(Part):
    """``PATCH /api/v1/transcription/sessions/{session_id}``"""

    custom_config: dict[str, Any] = {}
    """Laid deeply over the session's settings, then validated; another engine comes without the
    first one's model and options."""


class SessionTuned(Shape):
    """A session goes on with other settings: those of hearing from the next frame, those of the
    engine from the next utterance.
    """

    session_id: str
    profile: str | None
    config: dict[str, Any]
    """All its settings."""


class ProfileSummary(Shape):
    """A profile in a list."""

    name: str
    description: str
    builtin: bool
    fault: str | None = None
    """Why a saved profile can't be used; its file is kept."""


class Profiles(Shape):
    """``GET /api/v1/system/profiles``"""

    profiles: list[ProfileSummary]
    default: str


class NamedProfile(Shape):
    """``GET /api/v1/system/profiles/{name}``"""

    name: str
    builtin: bool
    config: dict[str, Any]


class ProfileSaved(Shape):
    """A profile was saved, in the place of an older one of its name if there was one."""

    saved: bool
    name: str


class ProfileDeleted(Shape):
    """A saved profile was deleted."""

    deleted: bool
    name: str


class Device(Shape):
    """An input device of the server's machine."""

    id: int
    name: str
    channels: int
    sample_rate: int
    """Samples a second that it prefers."""
    default: bool


class Devices(Shape):
    """``GET /api/v1/system/devices``"""

    devices: list[Device]


class ConfigureRequest(Part):
    """``POST /api/v1/transcription/configure``: what is left out stays as it is, but for
    another engine, which comes without the first one's model and options.
    """

    engine: Literal["auto", "mlx_whisper", "openai", "pocketsphinx"] = "auto"
    model: str | None = Field(None, min_length=1, max_length=500)
    fallback: Literal["auto", "mlx_whisper", "pocketsphinx"] | None = None
    fallback_model: str | None = Field(None, min_length=1, max_length=500)
    language: str | None = Field(None, pattern=r"^[a-z]{2,3}$")
    task: Literal["transcribe", "translate"] = "transcribe"
    prompt: str | None = Field(None, max_length=2000)
    vocabulary: list[Annotated[str, StringConstraints(min_length=1, max_length=80)]] = Field(
        [], max_length=200
    )
    carry_over: float = Field(5.0, ge=0, le=60)
    words: bool = False
    partials: bool = True
    partial_interval: float = Field(0.5, ge=0.1, le=10)
    options: Options = {}


class Configured(Shape):
    """The settings that every session starts with from now on; one that runs changes at its
    next utterance.
    """

    transcription: TranscriptionPart
    engine: EngineStatus


class SessionFigures(Shape):
    """How one session does."""

    session_id: str
    source: str
    profile: str | None = None
    audio_seconds: float
    finals: int
    waiting_seconds: float
    """Speech that was heard and waits for the engine."""
    lost_seconds: float
    overruns: int = 0
    """Blocks before which the audio system lost some of the microphone's sound: how much, it
    doesn't say."""
    real_time_factor: float | None = None
    """Seconds the engine took for a second of speech; under 1 it keeps up."""
    latency_p50: float | None = None
    """Seconds from the end of speech to its final: the median of the last finals."""
    latency_p95: float | None = None


class TranscriptionStatus(Shape):
    """``GET /api/v1/transcription/status``"""

    engine: EngineStatus
    queue_depth: int
    """Requests that wait for the engine."""
    room_seconds: float | None = None
    """Seconds of speech that may still wait before more is refused; null without an engine."""
    sessions: list[SessionFigures]


class TranscribeRequest(Part):
    """``POST /api/v1/transcription/transcribe`` as JSON."""

    audio_data: str
    """The audio, base64."""
    format: str | None = None
    """``pcm_s16le`` for headerless 16 kHz mono PCM; null looks at the data."""
    session_id: str | None = None
    """The data are a chunk of this session: headerless 16 kHz mono PCM."""
    is_final: bool = False
    """The session's last chunk: it is ended after it."""
    language: str | None = Field(None, pattern=r"^[a-z]{2,3}$")
    prompt: str | None = Field(None, max_length=2000)
    words: bool = False


class Segment(Shape):
    """A stretch of speech within the audio."""

    start: float
    end: float
    text: str
    confidence: float | None = None
    words: list[Word] = []


class Transcript(Shape):
    """What ``transcribe`` understood."""

    text: str
    language: str | None = None
    duration: float
    """Seconds of audio."""
    segments: list[Segment] = []
    engine: str
    model: str | None = None
    processing_seconds: float
    warning: str | None = None
    """What is wrong with the audio, e.g. that it breaks off after 12.3 s."""


Data = TypeVar("Data")


class Success(Shape, Generic[Data], use_attribute_docstrings=False):
    """An answer in the reference's envelope."""

    status: Literal["success"] = "success"
    message: str
    data: Data
