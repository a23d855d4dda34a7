"""Settings with a name. One schema is the file on disk, the REST body and the console's form.

Unknown fields are refused, defaults fill what is left out, so the reference's own JSON and
a single changed value are both profiles.
"""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
"""What a profile may be called."""


class BadProfile(ValueError):
    """Settings that don't fit the schema; the text names each field and what it may hold."""


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


class Part(BaseModel):
    """A section of a profile, or another thing that a client sends.

    Strict about names and types: nothing unknown, no text for a number. Its docstrings are the
    schema's descriptions.
    """

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )

    @model_validator(mode="before")
    @classmethod
    def _two_point_nought_is_two(cls, given: Any) -> Any:
        """JSON doesn't tell whole numbers from others: 2.0 is as good as 2."""
        if not isinstance(given, dict):
            return given
        return {name: _whole(value) for name, value in given.items()}


def _writable(options: dict[str, Any]) -> dict[str, Any]:
    try:
        json.dumps(options, allow_nan=False)
    except ValueError:
        raise ValueError("NaN and infinity can't be written as JSON; leave them out") from None
    return options


Options = Annotated[dict[str, Any], AfterValidator(_writable)]
"""What an engine is passed as it is: anything that can be kept as JSON."""


class TranscriptionPart(Part):
    """What reads the speech, and how."""

    engine: Literal["auto", "mlx_whisper", "openai", "pocketsphinx"] = "auto"
    """The engine; ``auto`` takes the best one that works here and says why."""
    model: str | None = Field(None, min_length=1, max_length=500)
    """A model's name or folder; null takes the engine's default."""
    fallback: Literal["auto", "mlx_whisper", "pocketsphinx"] | None = None
    """The engine on this machine that reads what the engine above fails on; null for none."""
    fallback_model: str | None = Field(None, min_length=1, max_length=500)
    """The fallback's model; null takes its default."""
    language: str | None = Field(None, pattern=r"^[a-z]{2,3}$")
    """ISO 639 code such as ``en``; null detects it where the engine can."""
    task: Literal["transcribe", "translate"] = "transcribe"
    """``translate`` gives English text, where the engine can."""
    prompt: str | None = Field(None, max_length=2000)
    """A sentence or two such as those to come: what they speak of, how they are written."""
    vocabulary: list[Annotated[str, StringConstraints(min_length=1, max_length=80)]] = Field(
        [], max_length=200
    )
    """Names and terms to expect; given to the engine with `prompt`."""
    carry_over: float = Field(5.0, ge=0, le=60)
    """Seconds of pause up to which an utterance is read with the one before it as its context."""
    words: bool = False
    """Give each word's time and confidence in finals."""
    partials: bool = True
    """Tell what has been understood so far while somebody speaks."""
    partial_interval: float = Field(0.5, ge=0.1, le=10)
    """Seconds of new sound between two partials."""
    auto_start: bool = True
    """Transcribe from the start; false waits for the wake word."""
    options: Options = {}
    """Passed to the engine as they are."""


class VadParameters(Part):
    """The detectors' own knobs; null follows `VadPart.sensitivity`."""

    webrtc_aggressiveness: int | None = Field(None, ge=0, le=3)
    """How much WebRTC rejects: 0 hears most, 3 least."""
    silero_threshold: float | None = Field(None, ge=0.01, le=0.99)
    """Silero's probability from which a frame counts as speech."""
    frame_duration_ms: Literal[10, 20, 30] = 30
    """Milliseconds of sound that WebRTC judges at a time."""


class VadPart(Part):
    """Voice activity detection: when somebody speaks."""

    enabled: bool = True
    """False transcribes everything, cut at `max_utterance`; while a wake word is waited for, speech
    is detected all the same."""
    detector_type: Literal["combined", "silero", "webrtc"] = "combined"
    """Who decides: Silero's judgment, WebRTC's energy and spectrum, or both."""
    sensitivity: float = Field(0.6, ge=0, le=1)
    """0 to 1; higher hears more."""
    min_speech_duration: float = Field(0.25, ge=0.03, le=5)
    """Seconds of speech that make an utterance; shorter sounds are dropped."""
    min_silence_duration: float = Field(0.7, ge=0.1, le=10)
    """Seconds of silence that end an utterance."""
    pre_speech: float = Field(0.8, ge=0, le=5)
    """Seconds of sound kept from before speech was noticed, so that first words are whole."""
    max_utterance: float = Field(28.0, ge=2, le=600)
    """Seconds after which an utterance is cut, at its quietest place."""
    parameters: VadParameters = VadParameters()


_PHONE = (
    "(AA|AE|AH|AO|AW|AY|B|CH|D|DH|EH|ER|EY|F|G|HH|IH|IY|JH|K|L|M|N|NG|OW|OY|P|R|S|SH|T|TH|UH|UW"
    "|V|W|Y|Z|ZH)"
)
Phones = Annotated[str, StringConstraints(pattern=f"^{_PHONE}( {_PHONE})*$")]
"""Phones of the CMU dictionary (ARPAbet without stress), a space apart."""


WakeName = Annotated[str, StringConstraints(max_length=100, pattern=r"^[^\n\r]*\S[^\n\r]*$")]
"""One line, and not blank."""


class WakeWordPart(Part):
    """Words that wake the transcription."""

    enabled: bool = False
    """Listen for the words."""
    words: list[WakeName] = Field(["jarvis"], min_length=1, max_length=32)
    """Any of these wakes."""
    detector: Literal[
        "auto", "porcupine", "openwakeword", "microwakeword", "transcript", "pocketsphinx"
    ] = "auto"
    """What listens for the words; ``auto`` takes the best that knows them and says why."""
    sensitivity: float = Field(0.7, ge=0, le=1)
    """0 to 1; higher wakes more easily."""
    pronunciations: dict[str, Phones] = {}
    """Phones of words that PocketSphinx's dictionary lacks, as ``"SH N UH R T S AH L"``."""
    timeout: float = Field(30.0, gt=0, le=3600)
    """Seconds in which somebody must speak after the wake word."""
    follow_up: float = Field(0.0, ge=0, le=3600)
    """Seconds for which an answer may follow without the word."""


class AudioPart(Part):
    """Where the sound comes from."""

    device: int | str | None = None
    """Input device by id or name; null is the system's default."""
    source: str = Field("microphone", pattern=r"^(microphone|file:.+)$")
    """``microphone``, or ``file:PATH`` on the server's machine, played at real-time pace."""
    channel: int | None = Field(None, ge=1, le=256)
    """Of a microphone with several channels the one to listen to, counted from 1; null is the
    mix of all."""
    gain: float = Field(1.0, gt=0, le=100)
    """Factor on the samples."""
    keep: bool = False
    """Keep the sound of what was said, in the server's history, for as long as its words."""


# What `Profile._something_must_start_it` refuses, in the words of JSON Schema.
_NOTHING_STARTS_IT: dict[str, Any] = {
    "properties": {
        "transcription": {
            "properties": {"auto_start": {"const": False}},
            "required": ["auto_start"],
        },
        "wake_word": {"properties": {"enabled": {"const": False}}},
    },
    "required": ["transcription"],
}


class Profile(Part):
    """Everything a session needs to know."""

    model_config = ConfigDict(json_schema_extra={"not": _NOTHING_STARTS_IT})

    description: str = Field("", max_length=500)
    """What the profile is for, in a line."""
    transcription: TranscriptionPart = TranscriptionPart()
    vad: VadPart = VadPart()
    wake_word: WakeWordPart = WakeWordPart()
    audio: AudioPart = AudioPart()

    @model_validator(mode="after")
    def _something_must_start_it(self) -> Self:
        if not self.transcription.auto_start and not self.wake_word.enabled:
            raise ValueError(
                "transcription.auto_start is false and wake_word.enabled is false: nothing would "
                "ever be transcribed; set one of them"
            )
        return self


BUILTIN: Mapping[str, Profile] = {
    "vad-triggered": Profile.model_validate(
        {
            "description": "VAD-triggered transcription - only transcribe when speech is detected",
            "transcription": {"auto_start": True},
            "vad": {
                "detector_type": "combined",
                "sensitivity": 0.6,
                "enabled": True,
                "min_speech_duration": 0.25,
            },
            "wake_word": {"enabled": False},
        }
    ),
    "wake-word": Profile.model_validate(
        {
            "description": "Wake word activated - say 'jarvis' to start listening",
            "transcription": {"auto_start": False},
            "vad": {"detector_type": "combined", "sensitivity": 0.6, "enabled": True},
            "wake_word": {"enabled": True, "words": ["jarvis"], "sensitivity": 0.7, "timeout": 30},
        }
    ),
    "dictation": Profile.model_validate(
        {
            "description": "Dictation - long sentences, pauses to think don't cut them",
            "transcription": {"auto_start": True, "words": True},
            "vad": {"min_silence_duration": 1.5, "max_utterance": 60},
        }
    ),
    "captions": Profile.model_validate(
        {
            "description": "Captions - short pieces, partials four times a second",
            "transcription": {"auto_start": True, "partial_interval": 0.25},
            "vad": {"min_silence_duration": 0.4, "max_utterance": 10},
        }
    ),
    "noisy-room": Profile.model_validate(
        {
            "description": "Noisy room - only what is clearly speech",
            "transcription": {"auto_start": True},
            "vad": {"detector_type": "combined", "sensitivity": 0.4, "min_speech_duration": 0.4},
        }
    ),
}
"""The profiles that are always there and can't be changed."""

DEFAULT = "vad-triggered"


def parse(config: object) -> Profile:
    """Return the profile that JSON data describe.

    Raises `BadProfile`, which names every fault with its path.
    """
    try:
        return Profile.model_validate(config)
    except ValidationError as error:
        raise BadProfile(faults(error)) from error


def merged(profile: Profile, changes: Mapping[str, Any]) -> Profile:
    """Return the profile with ``changes`` laid deeply over it, validated as a whole.

    Raises `BadProfile`.
    """
    return parse(_over(profile.model_dump(), changes))


def dropped(part: TranscriptionPart, changes: Mapping[str, Any]) -> tuple[str, ...]:
    """Return which settings go with an engine that changes replace by another.

    A fallback's model without a fallback is taken for one of Whisper's.
    """
    names: tuple[str, ...] = ()
    if "engine" in changes and not _alike(part.engine, changes["engine"]):
        names += ("model", "options")
    if "fallback" in changes and not _alike(part.fallback or "auto", changes["fallback"] or "auto"):
        names += ("fallback_model",)
    return names


def _alike(one: object, other: object) -> bool:
    """Return whether two engines read the same models: ``auto`` reads those of mlx_whisper."""
    whisper = ("auto", "mlx_whisper")
    return one == other or (one in whisper and other in whisper)


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(below)
    for key, value in above.items():
        under = result.get(key)
        if isinstance(value, Mapping) and isinstance(under, Mapping):
            result[key] = _over(under, value)
        else:
            result[key] = value
    return result


def faults(error: ValidationError) -> str:
    """Return what was wrong, a clause a field: ``vad.sensitivity: … (got 7)``."""
    clauses = []
    for fault in error.errors(include_url=False, include_context=False):
        path = ".".join(str(part) for part in fault["loc"])
        given = repr(fault["input"])
        told = (
            f" (got {given})" if len(given) <= 60 and not isinstance(fault["input"], dict) else ""
        )
        message = fault["msg"].removeprefix("Value error, ")
        clauses.append(f"{path}: {message}{told}" if path else f"{message}{told}")
    return "; ".join(clauses)
