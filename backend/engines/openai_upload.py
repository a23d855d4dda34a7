"""An utterance sent whole to OpenAI's REST API, and what its answer says."""

import io
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from backend.engines import RATE, Audio, Reading, SpokenWord, Wishes
from backend.engines.openai_faults import NotTheProtocol
from backend.engines.openai_models import Abilities, language_code
from backend.engines.sanity import fault

if TYPE_CHECKING:
    from openai import AsyncOpenAI

SHORTEST = RATE // 5
"""Samples; OpenAI refuses less than 0.1 s."""


async def upload(
    client: "AsyncOpenAI", model: str, able: Abilities, audio: Audio, wishes: Wishes
) -> Reading:
    """Have it read. Raises the SDK's exceptions, or `NotTheProtocol`."""
    asked: dict[str, Any] = {"model": model, "file": ("speech.flac", _flac(audio), "audio/flac")}
    if wishes.prompt and able.prompted:
        asked["prompt"] = wishes.prompt
    verbose = able.verbose or wishes.words
    asked["response_format"] = "verbose_json" if verbose else "json"
    if wishes.task == "translate":
        return _reading(await client.audio.translations.create(**asked), wishes)
    if wishes.words:
        asked["timestamp_granularities"] = ["word", "segment"]
    if able.logprobs:
        asked["include"] = ["logprobs"]
    if wishes.language:
        asked.update(language_hint(able, wishes.language))
    return _reading(await client.audio.transcriptions.create(**asked), wishes)


def language_hint(able: Abilities, language: str) -> dict[str, Any]:
    """Return the field by which a model is told the language."""
    return {"languages": [language]} if able.many_languages else {"language": language}


def long_enough(audio: Audio) -> Audio:
    """Return the sound, with silence after it if it would be refused for being short."""
    missing = SHORTEST - len(audio)
    return np.pad(audio, (0, missing)) if missing > 0 else audio


def believed(reading: Reading, logprob: float, no_speech: float = math.nan) -> Reading:
    """Return the reading with its confidence, or an empty one with why it isn't believed.

    The confidence is the geometric mean of the tokens' probabilities.
    """
    why = fault(reading.text, logprob, no_speech)
    if why:
        return Reading("", language=reading.language, refused=why)
    confidence = math.exp(min(logprob, 0.0))
    return Reading(reading.text, reading.language, confidence, reading.words)


def mean_logprob(logprobs: Any) -> float | None:
    """Return the mean of what the SDK lists as tokens' log probabilities, None without any."""
    values = [one.logprob for one in logprobs or () if one.logprob is not None]
    return sum(values) / len(values) if values else None


def _flac(audio: Audio) -> bytes:
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, long_enough(audio), RATE, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def _reading(answer: Any, wishes: Wishes) -> Reading:
    text = getattr(answer, "text", None)
    if not isinstance(text, str):
        raise NotTheProtocol("no text in the answer")
    reading = Reading(text.strip(), _language(answer, wishes), words=_words(answer, wishes))
    if segments := getattr(answer, "segments", None):
        return believed(reading, *_of_segments(segments))
    logprob = mean_logprob(getattr(answer, "logprobs", None))
    return reading if logprob is None else believed(reading, logprob)


def _of_segments(segments: Any) -> tuple[float, float]:
    """Return the tokens' mean log probability, and the least probability of no speech."""
    weights = [max(1, len(one.tokens or ())) for one in segments]
    total = sum(one.avg_logprob * weight for one, weight in zip(segments, weights, strict=True))
    return total / sum(weights), min(one.no_speech_prob for one in segments)


def _language(answer: Any, wishes: Wishes) -> str | None:
    if wishes.task == "translate":
        return "en"
    detected = list(getattr(answer, "languages", None) or [])
    if len(detected) == 1:
        return language_code(detected[0].code)
    return wishes.language or language_code(getattr(answer, "language", None))


def _words(answer: Any, wishes: Wishes) -> tuple[SpokenWord, ...]:
    told = getattr(answer, "words", None) if wishes.words else None
    return tuple(SpokenWord(one.word, one.start, one.end) for one in told or ())
