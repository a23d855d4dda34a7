"""Which engine to take, and why, in words a person can act on. Loads nothing."""

from collections.abc import Callable
from dataclasses import dataclass

from backend.engines import Engine, EngineError, Wishes
from backend.engines import mlx_whisper as mlx
from backend.engines.mlx_whisper import MlxWhisper
from backend.engines.models import cached
from backend.engines.openai import OpenAI, missing
from backend.engines.openai_models import LIVE, WHISPER
from backend.engines.pocketsphinx import PocketSphinx, check
from backend.engines.remote import Remote
from common.profile import TranscriptionPart

APPLE_MODEL = "mlx-community/whisper-large-v3-turbo"
"""What ``mlx_whisper`` reads with on Apple Silicon if no model is named."""

CPU_MODEL = "mlx-community/whisper-base-mlx"
"""What it reads with elsewhere."""

EMBEDDED = "using the embedded pocketsphinx (English, modest accuracy)"


@dataclass(frozen=True)
class Choice:
    """An engine, not loaded yet, and why it is this one."""

    engine: Engine
    reason: str


def choose(part: TranscriptionPart) -> Choice:
    """Return the engine that the settings ask for.

    ``auto`` takes mlx_whisper on Apple Silicon, and elsewhere where a model is named or
    the default one is in the cache; otherwise pocketsphinx. An engine asked for by name is
    that one or none. Raises `EngineError` with the cure.
    """
    return _CHOOSERS[part.engine](part)


def fallback(part: TranscriptionPart, error: Exception) -> Choice | None:
    """Return what is taken after the engine failed to load, or None.

    That is the fallback which the settings name, or PocketSphinx after ``auto`` took mlx_whisper.

    Args:
        part: the settings.
        error: why the load failed.

    """
    if named := spare(part):
        return _named(named, error)
    if part.engine != "auto" or _embedded_reason(part) is not None:
        return None
    try:
        return _embedded(part, f"{error}")
    except EngineError:
        return None


def spare(part: TranscriptionPart) -> TranscriptionPart | None:
    """Return the settings of the fallback engine, None if they name none."""
    if part.fallback is None:
        return None
    changes: dict[str, object] = {
        "engine": part.fallback,
        "model": part.fallback_model,
        "fallback": None,
        "fallback_model": None,
        "options": {},
    }
    return part.model_copy(update=changes)


def _named(part: TranscriptionPart, error: Exception) -> Choice | None:
    try:
        choice = choose(part)
    except EngineError:
        return None
    return Choice(choice.engine, f"the fallback, for {error}")


def _auto(part: TranscriptionPart) -> Choice:
    reason = _embedded_reason(part)
    if reason is not None:
        return _embedded(part, reason)
    return Choice(Remote(MlxWhisper, _model(part)), f"auto: {_whisper_reason(part)}")


def _embedded(part: TranscriptionPart, reason: str) -> Choice:
    try:
        check(Wishes(language=part.language, task=part.task))
    except EngineError as error:
        raise EngineError(f"{reason}; and {error}") from error
    return Choice(PocketSphinx(), f"auto: {reason}; {EMBEDDED}")


def _embedded_reason(part: TranscriptionPart) -> str | None:
    """Return what keeps ``auto`` from mlx_whisper, or None."""
    if not mlx.installed():
        return f"mlx_whisper is not installed ({mlx.INSTALL})"
    if not part.model and not mlx.apple_silicon() and not cached(CPU_MODEL):
        return f"no model is named (transcription.model) and {CPU_MODEL} is not in the cache"
    return None


def _whisper_reason(part: TranscriptionPart) -> str:
    if part.model:
        return "mlx_whisper is installed and a model is named"
    if mlx.apple_silicon():
        return "Apple Silicon"
    return f"mlx_whisper is installed and {CPU_MODEL} is in the cache"


def _model(part: TranscriptionPart) -> str:
    return part.model or (APPLE_MODEL if mlx.apple_silicon() else CPU_MODEL)


def _mlx_whisper(part: TranscriptionPart) -> Choice:
    if not mlx.installed():
        raise EngineError(f"mlx_whisper is not installed ({mlx.INSTALL})")
    return Choice(Remote(MlxWhisper, _model(part)), "asked for by name")


def _pocketsphinx(part: TranscriptionPart) -> Choice:
    if part.model not in {None, PocketSphinx.model}:
        raise EngineError(
            f"pocketsphinx has one model, {PocketSphinx.model}, not {part.model!r}: leave "
            "transcription.model out, or set transcription.engine to mlx_whisper"
        )
    check(Wishes(language=part.language, task=part.task))
    return Choice(PocketSphinx(), "asked for by name")


def _openai(part: TranscriptionPart) -> Choice:
    if lacking := missing():
        raise EngineError(f"openai needs {lacking}")
    if part.model is None and (part.words or part.task == "translate"):
        wanted = "words with times" if part.words else "a translation"
        return Choice(OpenAI(WHISPER), f"asked for by name; only {WHISPER} gives {wanted}")
    return Choice(OpenAI(part.model or LIVE), "asked for by name")


_CHOOSERS: dict[str, Callable[[TranscriptionPart], Choice]] = {
    "auto": _auto,
    "mlx_whisper": _mlx_whisper,
    "openai": _openai,
    "pocketsphinx": _pocketsphinx,
}
