"""Downloads of the server: one at a time for a model, shared, told, stopped."""

import asyncio
from pathlib import Path

import pytest

from backend.bus import Bus
from backend.engines import EngineError
from backend.engines.models import cache_folder, cached, standing
from backend.engines.names import NoSuchModel
from backend.pulls import Pulls
from common.events import Error, ModelProgress
from tests.backend.engines.conftest import NAME, cache, served
from tests.hub import Hub, until_kept
from tests.running import TINY

__all__ = ["cache", "served"]
SIZE = sum((TINY / name).stat().st_size for name in ("config.json", "weights.npz"))


class Told(Bus):
    """A bus that remembers what was published."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[ModelProgress | Error] = []

    def publish(self, event):  # type: ignore[no-untyped-def]
        self.events.append(event)
        super().publish(event)

    @property
    def stages(self) -> list[str]:
        return [event.stage for event in self.events if isinstance(event, ModelProgress)]


async def test_two_who_want_the_same_model_share_a_download(served: Hub) -> None:
    bus = Told()
    pulls = Pulls(bus)
    await asyncio.gather(pulls.bring(NAME), pulls.bring(NAME), pulls.begin(NAME))
    assert served.ranges == [""]
    assert bus.stages[0] == "download"
    assert bus.stages[-1] == "installed"
    assert bus.events[-1].done == bus.events[-1].total == SIZE  # type: ignore[union-attr]
    assert pulls.all == []
    assert cached(NAME)


async def test_begun_is_not_done(served: Hub) -> None:
    served.gate.clear()
    pulls = Pulls(Told())
    await pulls.begin(NAME)
    (pull,) = pulls.all
    assert (pull.repository, pull.total) == (NAME, SIZE)
    assert pulls.under_way(NAME) is pull
    assert cached(NAME) is None
    served.gate.set()
    await pulls.bring(NAME)
    assert cached(NAME)


async def test_whoever_waits_may_go_away(served: Hub) -> None:
    served.gate.clear()
    pulls = Pulls(Told())
    waiting = asyncio.create_task(pulls.bring(NAME))
    assert await asyncio.to_thread(served.half_way.wait, 10)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    served.gate.set()
    await pulls.bring(NAME)
    assert served.ranges == [""]


async def test_a_stopped_download_is_told_to_who_waits(served: Hub) -> None:
    served.gate.clear()
    bus = Told()
    pulls = Pulls(bus)
    waiting = asyncio.create_task(pulls.bring(NAME))
    assert await asyncio.to_thread(served.half_way.wait, 10)
    await asyncio.to_thread(until_kept, cache_folder())
    stopping = asyncio.create_task(pulls.cancel(NAME))
    await asyncio.sleep(0)  # It has told the thread to stop, before more can come.
    served.gate.set()
    assert await stopping
    with pytest.raises(EngineError, match="was stopped"):
        await waiting
    assert bus.stages[-1] == "stopped"
    assert not any(isinstance(event, Error) for event in bus.events)
    assert standing(NAME) == "partial"
    assert not await pulls.cancel(NAME)


async def test_a_name_the_hub_does_not_have_is_told_to_who_asks_alone(served: Hub) -> None:
    bus = Told()
    pulls = Pulls(bus)
    with pytest.raises(NoSuchModel):
        await pulls.begin("somebody/else")
    assert bus.events == []
    assert pulls.all == []


async def test_a_download_that_fails_is_told_to_all(served: Hub, cache: Path) -> None:
    served.garbled = True
    bus = Told()
    pulls = Pulls(bus)
    with pytest.raises(EngineError, match="damaged"):
        await pulls.bring(NAME)
    assert bus.stages[-1] == "stopped"
    assert isinstance(bus.events[-1], Error)
    assert "damaged" in bus.events[-1].details


async def test_closing_stops_what_is_under_way(served: Hub) -> None:
    served.gate.clear()
    pulls = Pulls(Told())
    await pulls.begin(NAME)
    assert await asyncio.to_thread(served.half_way.wait, 10)
    await asyncio.to_thread(until_kept, cache_folder())
    closing = asyncio.create_task(pulls.close())
    await asyncio.sleep(0)
    served.gate.set()
    await closing
    assert pulls.all == []
    assert standing(NAME) == "partial"
