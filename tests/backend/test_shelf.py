"""The models of a machine, as they stand. What becomes of them, the whole server tells."""

import shutil
from pathlib import Path

import pytest

from backend.bus import Bus
from backend.desks import Desks
from backend.engines.names import SHORT
from backend.problems import Problem
from backend.pulls import Pulls
from backend.shelf import Shelf, stock
from common.profile import TranscriptionPart
from tests.backend.engines.conftest import cache
from tests.backend.engines.test_models import fill
from tests.running import TINY

__all__ = ["cache"]


def shelf() -> Shelf:
    bus = Bus()
    pulls = Pulls(bus)
    return Shelf(Desks(bus, pulls), pulls)


def test_the_usual_models_are_listed_with_an_empty_cache(cache: Path) -> None:
    listed = stock()
    assert [model.name for model in listed.models] == list(SHORT)
    assert {model.state for model in listed.models} == {"available"}
    assert listed.cache == str(cache)
    assert listed.free_bytes == pytest.approx(shutil.disk_usage("/tmp").free, rel=0.5)


def test_what_else_is_in_the_cache_is_listed_too(cache: Path) -> None:
    fill(cache, "somebody/whisper-fine")
    found = {model.name: model for model in stock().models}["somebody/whisper-fine"]
    assert (found.state, found.installed, found.engine) == ("installed", True, "mlx_whisper")
    assert found.size_bytes is not None
    assert found.size_bytes > 2_000_000


async def test_a_folder_that_is_loaded_is_listed_with_its_memory(cache: Path) -> None:
    here = shelf()
    taken = await here.desks.take(TranscriptionPart(engine="mlx_whisper", model=str(TINY)))
    found = (await here.listing()).models[-1]
    assert (found.name, found.repository) == (str(TINY), None)
    assert (found.state, found.in_use) == ("loaded", 1)
    assert found.memory_bytes is not None
    assert found.memory_bytes > 1_000_000
    here.desks.give_back(taken)
    await here.desks.close()


async def test_the_embedded_engine_is_listed_while_it_is_loaded(cache: Path) -> None:
    here = shelf()
    await here.desks.take(TranscriptionPart(engine="pocketsphinx"))
    found = (await here.listing()).models[-1]
    assert (found.name, found.engine, found.state) == ("en-us", "pocketsphinx", "loaded")
    assert found.memory_bytes is not None
    assert found.memory_bytes > 10_000_000
    await here.desks.close()


async def test_only_what_the_cache_holds_is_deleted(cache: Path) -> None:
    kept = fill(cache, "mlx-community/whisper-base-mlx")
    with pytest.raises(Problem) as problem:
        await shelf().delete(str(kept))
    assert problem.value.status == 400
    assert kept.is_dir()
    with pytest.raises(Problem) as problem:
        await shelf().delete("tiny")
    assert problem.value.status == 404
    assert await shelf().delete("base") > 2_000_000
    assert not kept.exists()
