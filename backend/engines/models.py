"""Where Whisper's weights are: a folder, the hub's cache, or the hub.

Names as people know them stand for repositories of ``mlx-community``; any other
``owner/name`` is taken as it is.
"""

import os
from collections.abc import Callable
from pathlib import Path

from backend.engines import EngineError

SHORT = {
    "tiny": "mlx-community/whisper-tiny",
    "base": "mlx-community/whisper-base-mlx",
    "small": "mlx-community/whisper-small-mlx",
    "medium": "mlx-community/whisper-medium-mlx",
    "large-v3": "mlx-community/whisper-large-v3-mlx",
    "large-v3-turbo": "mlx-community/whisper-large-v3-turbo",
}
"""What the usual names stand for."""

WEIGHTS = ("weights.safetensors", "weights.npz")
"""The files mlx_whisper reads, the first one there."""

HUB_TIMEOUT = 5.0
"""Seconds without an answer after which the hub can't be reached."""


def repository(model: str) -> str:
    """Return the hub's name of a model: ``tiny`` is ``mlx-community/whisper-tiny``."""
    return SHORT.get(model, model)


def is_folder(model: str) -> bool:
    """Whether a model is named by its folder, there or not, rather than by a hub's name."""
    if model.startswith((".", "/", "~")):
        return True
    try:
        return Path(model).is_dir()
    except (OSError, ValueError):  # Too long, or no text that a path can be.
        return False


def cached(model: str) -> Path | None:
    """Return the whole model's folder in the hub's cache, without asking the hub.

    Reads the cache's layout itself, so that nothing heavy is imported to find out.
    """
    where = cache_folder() / f"models--{repository(model).replace('/', '--')}"
    try:
        revision = (where / "refs" / "main").read_text().strip()
    except (OSError, ValueError):
        return None
    folder = where / "snapshots" / revision
    return folder if revision and not lacks(folder) else None


def in_cache() -> list[str]:
    """Return the hub's names of all whole Whisper models for MLX in the cache."""
    names = (
        folder.name.removeprefix("models--").replace("--", "/", 1)
        for folder in sorted(cache_folder().glob("models--*--*whisper*"))
    )
    return [name for name in names if cached(name)]


def lacks(folder: Path) -> str:
    """Return which file a model's folder lacks, or an empty text."""
    if not (folder / "config.json").is_file():
        return "config.json"
    if not any((folder / name).is_file() for name in WEIGHTS):
        return " or ".join(WEIGHTS)
    return ""


def find(model: str, downloading: Callable[[], None]) -> Path:
    """Return the folder of a model, downloaded if need be.

    Args:
        model: a folder, a short name, or ``owner/name``.
        downloading: called before anything is asked of the hub.

    Raises `EngineError`: which file is missing, or why the hub didn't give it.

    """
    if is_folder(model):
        return _checked(model)
    known = cached(model)
    if known:
        return known
    if "/" not in repository(model):
        raise EngineError(
            f"no model {model!r}: give transcription.model a folder, one of {', '.join(SHORT)}, "
            "or a hub's owner/name"
        )
    downloading()
    return _checked(_download(repository(model)))


def cache_folder() -> Path:
    """Return the folder of the hub's cache, there or not."""
    home = os.environ.get("HF_HOME") or (
        Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    )
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub").expanduser()


def _checked(name: str | Path) -> Path:
    try:
        folder = Path(name).expanduser()
        there = folder.is_dir()
    except (OSError, RuntimeError, ValueError) as error:  # A zero byte, an unknown ~user.
        raise EngineError(f"transcription.model can't be {str(name)[:80]!r}: {error}") from error
    if not there:
        raise EngineError(f"there is no folder {folder}: give transcription.model one that is")
    missing = lacks(folder)
    if missing:
        raise EngineError(
            f"{folder} is no Whisper model for MLX: {missing} is missing; take a folder made by "
            "mlx-community or convert one with mlx-examples' whisper/convert.py"
        )
    return folder


def _download(name: str) -> Path:
    import httpx
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import RepositoryNotFoundError
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    try:
        if not constants.HF_HUB_OFFLINE:
            # The hub's client itself waits minutes for a network that swallows packets.
            httpx.head(constants.ENDPOINT, timeout=HUB_TIMEOUT)
        return Path(
            snapshot_download(
                name, allow_patterns=["config.json", *WEIGHTS], etag_timeout=HUB_TIMEOUT
            )
        )
    except RepositoryNotFoundError as error:
        raise EngineError(
            f"the model hub has no public model {name!r}: give transcription.model a folder, one "
            f"of {', '.join(SHORT)}, or another owner/name"
        ) from error
    except Exception as error:  # Whatever network, disk and hub come up with.
        raise EngineError(
            f"the model {name} is not in the cache and the model hub can't be reached: "
            f"{_first_line(error)}; give transcription.model a folder, or bring the model here "
            "once while there is a network"
        ) from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
