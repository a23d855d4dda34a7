"""What people call Whisper's models, and which repository of the hub each name stands for."""

import re
from difflib import get_close_matches

from backend.engines import EngineError

SHORT = {
    "tiny": "mlx-community/whisper-tiny",
    "tiny.en": "mlx-community/whisper-tiny.en-mlx",
    "tiny-8bit": "mlx-community/whisper-tiny-mlx-8bit",
    "tiny-q4": "mlx-community/whisper-tiny-mlx-q4",
    "base": "mlx-community/whisper-base-mlx",
    "base.en": "mlx-community/whisper-base.en-mlx",
    "base-8bit": "mlx-community/whisper-base-mlx-8bit",
    "base-4bit": "mlx-community/whisper-base-mlx-4bit",
    "small": "mlx-community/whisper-small-mlx",
    "small.en": "mlx-community/whisper-small.en-mlx",
    "small-8bit": "mlx-community/whisper-small-mlx-8bit",
    "small-4bit": "mlx-community/whisper-small-mlx-4bit",
    "medium": "mlx-community/whisper-medium-mlx",
    "medium.en": "mlx-community/whisper-medium.en-mlx",
    "medium-8bit": "mlx-community/whisper-medium-mlx-8bit",
    "medium-q4": "mlx-community/whisper-medium-mlx-q4",
    "large-v2": "mlx-community/whisper-large-v2-mlx",
    "large-v2-8bit": "mlx-community/whisper-large-v2-mlx-8bit",
    "large-v2-4bit": "mlx-community/whisper-large-v2-mlx-4bit",
    "large-v3": "mlx-community/whisper-large-v3-mlx",
    "large-v3-8bit": "mlx-community/whisper-large-v3-mlx-8bit",
    "large-v3-4bit": "mlx-community/whisper-large-v3-mlx-4bit",
    "large-v3-turbo": "mlx-community/whisper-large-v3-turbo",
    "large-v3-turbo-q4": "mlx-community/whisper-large-v3-turbo-q4",
    "distil-large-v3": "mlx-community/distil-whisper-large-v3",
}
"""What the usual names stand for: Whisper's own, and those of its quantized variants."""

ALSO = {"large": "large-v3", "turbo": "large-v3-turbo"}
"""Other words for the same."""

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)


class NoSuchModel(EngineError):
    """No model has that name. The text says which may be meant."""


def repository(model: str) -> str:
    """Return the hub's name of a model: ``tiny`` is ``mlx-community/whisper-tiny``."""
    return SHORT.get(ALSO.get(model, model), model)


def short(name: str) -> str:
    """Return the usual name of a repository, or the repository's own."""
    return _USUAL.get(name, name)


def asked_for(model: str) -> str:
    """Return the repository that a name stands for. Raises `NoSuchModel` for none at all."""
    name = repository(model)
    if not _REPOSITORY.fullmatch(name) or "--" in name or ".." in name:
        raise NoSuchModel(
            f"no model {model[:80]!r}{meant(model)}: give transcription.model a folder, one of "
            f"{', '.join(SHORT)}, or a hub's owner/name"
        )
    return name


def meant(model: str) -> str:
    """Return a question that names what a wrong name is near to, or an empty text."""
    known = [*SHORT, *ALSO, *SHORT.values()]
    near = get_close_matches(model, known, n=1, cutoff=0.7)
    return f" (did you mean {near[0]}?)" if near else ""


_USUAL = {name: usual for usual, name in SHORT.items()}
