"""The REST shapes of engines and their models."""

from typing import Literal

from pydantic import Field

from common.events import EngineStatus, Shape
from common.profile import Part


class Model(Shape):
    """A model of an engine."""

    name: str
    """What ``transcription.model`` may hold."""
    repository: str | None = None
    """The hub's name for it."""
    installed: bool
    """It lies on this machine; otherwise it is downloaded when it is first used."""


class EngineInfo(Shape):
    """An engine, whether it can be used here, and how to get what it lacks."""

    name: str
    installed: bool
    missing: str = ""
    """What keeps it from working and how to get it; empty if nothing does."""
    default_model: str | None = None
    models: list[Model] = []


class Engines(Shape):
    """``GET /api/v1/system/engines``"""

    engines: list[EngineInfo]
    auto: str
    """What ``auto`` takes now, and why."""


class ModelInfo(Shape):
    """A model: on this machine, on its way here, or to be had from the hub."""

    name: str
    """What ``transcription.model`` may hold."""
    engine: str
    repository: str | None = None
    """The hub's name for it; null for a folder and for what comes with its engine."""
    installed: bool
    """It lies on this machine, whole."""
    state: Literal["available", "partial", "downloading", "installed", "loading", "loaded"]
    """``available`` can be downloaded; ``partial`` is half here, or damaged: the next pull goes
    on where the last one ended."""
    size_bytes: int | None = None
    """What it takes of the disk; null when not known."""
    memory_bytes: int | None = None
    """What it takes of the memory while it is loaded; null otherwise, or where not measured."""
    done: int | None = None
    """Bytes that are here, while it is being downloaded."""
    total: int | None = None
    """Bytes that it will be, while it is being downloaded and once that is known."""
    in_use: int = 0
    """How many sessions use it."""


class Models(Shape):
    """``GET /api/v1/system/models``"""

    models: list[ModelInfo]
    cache: str
    """The folder of the hub's cache on the server's machine."""
    free_bytes: int | None = None
    """What is free on its disk; null when not known."""


class ModelRequest(Part):
    """``POST /api/v1/system/models/pull``, ``…/cancel`` and ``…/unload``"""

    model: str = Field(min_length=1, max_length=500)
    """A name as it stands in the list, short or the hub's own."""


class LoadRequest(Part):
    """``POST /api/v1/system/models/load``"""

    engine: Literal["auto", "mlx_whisper", "openai", "pocketsphinx"] = "auto"
    model: str | None = Field(None, min_length=1, max_length=500)
    """Null takes the engine's default."""


class ModelPulling(Shape):
    """Whether a model is being downloaded now."""

    pulling: bool
    """False: it is installed already."""
    model: str


class PullCancelled(Shape):
    """A download was stopped. What came of it stays, and the next one goes on from there."""

    cancelled: bool
    model: str


class ModelDeleted(Shape):
    """A model was deleted from the hub's cache."""

    deleted: bool
    model: str
    freed_bytes: int


class ModelLoaded(Shape):
    """A model is loaded and warmed up."""

    loaded: bool
    engine: EngineStatus
    memory_bytes: int | None = None
    """What it takes of the memory; null where not measured."""


class ModelUnloaded(Shape):
    """A model's memory was given back."""

    unloaded: bool
    model: str
