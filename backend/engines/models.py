"""Where Whisper's weights are: a folder, the hub's cache, or the hub.

Short names stand for repositories (`backend.engines.names`); any other ``owner/name`` is taken
as it is. The cache's layout is read here, so that nothing heavy is imported to find out.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from backend.engines import EngineError
from backend.engines.names import asked_for, repository, short
from backend.engines.weights import damage

WEIGHTS = ("weights.safetensors", "weights.npz")
"""The files mlx_whisper reads, the first one there."""

HALF = ".incomplete"
"""What ends the name of a file that is still being downloaded."""


def is_folder(model: str) -> bool:
    """Whether a model is named by its folder, there or not, rather than by a hub's name."""
    if model.startswith((".", "/", "~")):
        return True
    try:
        return Path(model).is_dir()
    except (OSError, ValueError):  # Too long, or no text that a path can be.
        return False


def place(model: str) -> Path:
    """Return the folder in the hub's cache that is a model's, there or not."""
    return cache_folder() / f"models--{repository(model).replace('/', '--')}"


def cached(model: str) -> Path | None:
    """Return the folder in the hub's cache with all of a model's files, without asking the hub.

    Whether the files are whole, `fault` says.
    """
    where = place(model)
    try:
        revision = (where / "refs" / "main").read_text().strip()
    except (OSError, ValueError):
        return None
    folder = where / "snapshots" / revision
    return folder if revision and not lacks(folder) else None


def lacking(model: str) -> bool:
    """Whether a model is the hub's to give, and isn't in the cache."""
    return "/" in repository(model) and not is_folder(model) and cached(model) is None


def standing(model: str) -> Literal["available", "partial", "installed"]:
    """Return whether a model of the hub is in the cache, whole or in part."""
    folder = cached(model)
    if folder and not fault(folder):
        return "installed"
    return "partial" if folder or _halves(place(model)) else "available"


def in_cache() -> list[str]:
    """Return the hub's names of all Whisper models for MLX in the cache with all their files."""
    return [name for name in _whispers() if cached(name)]


def begun() -> list[str]:
    """Return the hub's names of all Whisper models in the cache that are there only in part."""
    return [name for name in _whispers() if not cached(name) and _halves(place(name))]


def size(model: str) -> int:
    """Return the bytes that a model takes of the cache."""
    return sum(
        file.lstat().st_size
        for file in place(model).rglob("*")
        if file.is_file() and not file.is_symlink()
    )


def forget(model: str) -> int:
    """Delete a model, or what there is of it, from the cache. Return the bytes that were freed.

    Raises `FileNotFoundError` for one that isn't there, `OSError` for one that can't be deleted.
    """
    freed = size(model)
    # Not through the hub's client, which knows no models that are there only in part.
    shutil.rmtree(place(model))
    return freed


def lacks(folder: Path) -> str:
    """Return which file a model's folder lacks, or an empty text."""
    if not (folder / "config.json").is_file():
        return "config.json"
    if not any((folder / name).is_file() for name in WEIGHTS):
        return " or ".join(WEIGHTS)
    return ""


def fault(folder: Path) -> str:
    """Return what is wrong with the weights in a model's folder, or an empty text."""
    weights = next(folder / name for name in WEIGHTS if (folder / name).is_file())
    found = damage(weights)
    return f"{weights.name} is damaged: {found}" if found else ""


def find(model: str, downloading: Callable[[], None]) -> Path:
    """Return the folder of a model, downloaded if need be.

    Args:
        model: a folder, a short name, or ``owner/name``.
        downloading: called before anything is asked of the hub.

    Raises `EngineError`: which file is missing or damaged, or why the hub didn't give it.

    """
    if is_folder(model):
        return _checked(model)
    known = cached(model)
    if known:
        return _whole(known, f"mend it with: stt-server models pull {short(model)}")
    name = asked_for(model)
    downloading()
    from backend.engines import hub

    return _checked(hub.bring(hub.plan(name)))


def cache_folder() -> Path:
    """Return the folder of the hub's cache, there or not."""
    home = os.environ.get("HF_HOME") or (
        Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    )
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub").expanduser()


def _whispers() -> list[str]:
    return [
        folder.name.removeprefix("models--").replace("--", "/", 1)
        for folder in sorted(cache_folder().glob("models--*--*whisper*"))
    ]


def _halves(where: Path) -> list[Path]:
    return list(where.glob(f"blobs/*{HALF}"))


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
    return _whole(folder, "copy the file there anew")


def _whole(folder: Path, cure: str) -> Path:
    if found := fault(folder):
        raise EngineError(f"the model in {folder} can't be used: {found}; {cure}")
    return folder
