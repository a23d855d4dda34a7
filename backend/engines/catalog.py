"""Which engines and models there are, which can be used here, and how to get the others."""

from importlib.util import find_spec

from backend.engines import EngineError
from backend.engines import mlx_whisper as mlx
from backend.engines.choose import APPLE_MODEL, CPU_MODEL, choose
from backend.engines.models import cached, in_cache
from backend.engines.names import SHORT
from backend.engines.openai import missing
from backend.engines.openai_models import LIVE, OFFERED
from backend.engines.pocketsphinx import PocketSphinx
from common.models import EngineInfo, Engines, Model
from common.profile import TranscriptionPart


def catalog() -> Engines:
    """Return all engines. Reads folders; loads nothing."""
    return Engines(engines=[_mlx_whisper(), _pocketsphinx(), _openai()], auto=_auto())


def _auto() -> str:
    try:
        choice = choose(TranscriptionPart())
    except EngineError as error:
        return f"nothing: {error}"
    reason = choice.reason.removeprefix("auto: ")
    return f"{choice.engine.name}, model {choice.engine.model}: {reason}"


def _mlx_whisper() -> EngineInfo:
    named = {repository: name for name, repository in SHORT.items()}
    models = [
        Model(name=name, repository=repository, installed=cached(name) is not None)
        for name, repository in SHORT.items()
    ]
    models += [
        Model(name=repository, repository=repository, installed=True)
        for repository in in_cache()
        if repository not in named
    ]
    return EngineInfo(
        name="mlx_whisper",
        installed=mlx.installed(),
        missing="" if mlx.installed() else f"the package mlx_whisper: {mlx.INSTALL}",
        default_model=APPLE_MODEL if mlx.apple_silicon() else CPU_MODEL,
        models=models,
    )


def _pocketsphinx() -> EngineInfo:
    there = find_spec("pocketsphinx") is not None
    return EngineInfo(
        name="pocketsphinx",
        installed=there,
        missing="" if there else "the package pocketsphinx: pip install pocketsphinx",
        default_model=PocketSphinx.model,
        models=[Model(name=PocketSphinx.model, installed=there)],
    )


def _openai() -> EngineInfo:
    lacking = missing()
    return EngineInfo(
        name="openai",
        installed=not lacking,
        missing=lacking,
        default_model=LIVE,
        models=[Model(name=name, installed=not lacking) for name in OFFERED],
    )
