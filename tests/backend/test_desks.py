"""Desks: shared, loaded by tasks of their own, given up when nobody uses them."""

import asyncio
import gc
import threading
from collections.abc import Callable

import pytest

from backend import desks as module
from backend.bus import Bus
from backend.desks import Desks
from backend.engines import Audio, EngineError, Progress, Reading, Wishes
from backend.engines.choose import Choice
from backend.problems import Problem
from common.profile import TranscriptionPart


class Double:
    """An engine at whose edge the test decides when it is loaded, and whether."""

    name = "double"
    device = "cpu"
    eager = False

    def __init__(self, model: str, gate: threading.Event) -> None:
        self.model = model
        self.gate = gate
        self.loaded = self.unloaded = False

    def load(self, progress: Progress) -> None:
        self.loaded = True
        assert self.gate.wait(10)
        if self.model.endswith("broken"):
            raise EngineError("the model is broken: take another")

    def check(self, wishes: Wishes) -> None: ...

    def warm_up(self) -> None: ...

    def partial(self, utterance: str, audio: Audio, wishes: Wishes) -> Reading:
        return Reading("")

    def final(self, utterance: str, audio: Audio, wishes: Wishes) -> Reading:
        return Reading("")

    def cancel(self) -> None: ...

    def unload(self) -> None:
        self.unloaded = True

    def memory(self) -> int | None:
        return None


Make = Callable[[str], TranscriptionPart]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> dict[str, Double]:
    """The engines that were chosen, by model; those of an open gate load at once."""
    engines: dict[str, Double] = {}

    def choose(part: TranscriptionPart) -> Choice:
        model = part.model or "a"
        gate = threading.Event()
        if not model.startswith("slow"):
            gate.set()
        engine = Double(model, gate)
        engines.setdefault(model, engine)
        return Choice(engine, "asked for by name")

    monkeypatch.setattr(module, "choose", choose)
    return engines


def wanting(model: str) -> TranscriptionPart:
    return TranscriptionPart(engine="mlx_whisper", model=model)


async def test_two_who_want_the_same_model_share_a_desk(made: dict[str, Double]) -> None:
    desks = Desks(Bus())
    one, other = await asyncio.gather(desks.take(wanting("a")), desks.take(wanting("a")))
    assert one is other
    assert one.users == 2
    await desks.close()


async def test_one_that_nobody_uses_is_given_up_for_another(made: dict[str, Double]) -> None:
    desks = Desks(Bus())
    desks.give_back(await desks.take(wanting("a")))
    kept = await desks.take(wanting("b"))
    assert made["a"].unloaded
    await desks.take(wanting("c"))
    assert not made["b"].unloaded
    assert kept.desk.state == "ready"
    await desks.close()


async def test_a_model_that_loads_keeps_nobody_else_waiting(made: dict[str, Double]) -> None:
    desks = Desks(Bus())
    slow = asyncio.create_task(desks.take(wanting("slow")))
    quick = await asyncio.wait_for(desks.take(wanting("a")), 5)
    assert quick.desk.state == "ready"
    assert not slow.done()
    made["slow"].gate.set()
    assert (await slow).desk.state == "ready"
    await desks.close()


async def test_who_gives_up_waiting_leaves_a_desk_that_can_be_taken(
    made: dict[str, Double],
) -> None:
    desks = Desks(Bus())
    for _ in range(3):
        waiting = asyncio.create_task(desks.take(wanting("slow")))
        while not desks.all:  # noqa: ASYNC110
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert len(desks.all) == 1
    made["slow"].gate.set()
    taken = await desks.take(wanting("slow"))
    assert taken.users == 1
    assert (await desks.status(wanting("slow"))).state == "ready"
    await desks.close()


async def test_a_failure_that_nobody_waited_for_is_no_fault_of_ours(
    made: dict[str, Double],
) -> None:
    told: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, about: told.append(about))
    desks = Desks(Bus())
    waiting = asyncio.create_task(desks.take(wanting("slow, broken")))
    while not desks.all:  # noqa: ASYNC110
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    made["slow, broken"].gate.set()
    while desks._loading:  # noqa: ASYNC110
        await asyncio.sleep(0)
    assert (await desks.status(wanting("slow, broken"))).state == "failed"
    await desks.close()
    gc.collect()
    assert told == []


async def test_closing_begins_no_load_any_more(
    made: dict[str, Double], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, gate = threading.Event(), threading.Event()

    def lacking(model: str) -> bool:
        asked.set()
        assert gate.wait(10)
        return False

    monkeypatch.setattr(Double, "name", "mlx_whisper")
    monkeypatch.setattr(module, "lacking", lacking)
    desks = Desks(Bus())
    waiting = asyncio.create_task(desks.take(wanting("a")))
    assert await asyncio.to_thread(asked.wait, 10)
    closing = asyncio.create_task(desks.close())
    await asyncio.sleep(0)
    gate.set()
    await closing
    await asyncio.wait({waiting})
    assert not made["a"].loaded
    assert desks.all == []


async def test_a_failure_is_told_where_it_belongs(made: dict[str, Double]) -> None:
    desks = Desks(Bus())
    await desks.take(wanting("a"))
    with pytest.raises(Problem, match="take another"):
        await desks.take(wanting("broken"))
    broken = await desks.status(wanting("broken"))
    assert (broken.state, broken.reason) == ("failed", "the model is broken: take another")
    assert (await desks.status(wanting("a"))).state == "ready"
    assert len(desks.all) == 1
    await desks.close()


async def test_one_that_nobody_uses_is_given_up_after_some_time(made: dict[str, Double]) -> None:
    desks = Desks(Bus(), idle=0.05)
    rested = asyncio.Event()
    desks.rested = rested.set
    taken = await desks.take(wanting("a"))
    again = await desks.take(wanting("a"))
    desks.give_back(taken)
    assert taken is again
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(rested.wait(), 0.2)
    assert not made["a"].unloaded, "somebody uses it"
    desks.give_back(again)
    await asyncio.wait_for(rested.wait(), 5)
    assert made["a"].unloaded
    assert desks.all == []
    assert (await desks.take(wanting("a"))).desk.state == "ready"
    await desks.close()


async def test_one_that_was_taken_meanwhile_is_not_given_up(made: dict[str, Double]) -> None:
    desks = Desks(Bus(), idle=0.1)
    rested = asyncio.Event()
    desks.rested = rested.set
    for _ in range(10):
        taken = await desks.take(wanting("a"))
        desks.give_back(taken)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(rested.wait(), 0.02)
    assert not made["a"].unloaded
    await asyncio.wait_for(rested.wait(), 5)
    assert made["a"].unloaded
    await desks.close()


async def test_one_is_unloaded_when_told_unless_it_is_used(made: dict[str, Double]) -> None:
    desks = Desks(Bus())
    taken = await desks.take(wanting("a"))
    with pytest.raises(Problem, match="in use"):
        await desks.unload("a")
    desks.give_back(taken)
    await desks.unload("a")
    assert made["a"].unloaded
    with pytest.raises(Problem, match="no model 'a' is loaded"):
        await desks.unload("a")
    slow = asyncio.create_task(desks.take(wanting("slow")))
    while not desks.all:  # noqa: ASYNC110
        await asyncio.sleep(0)
    with pytest.raises(Problem, match="in use"):
        await desks.unload("slow")
    made["slow"].gate.set()
    await slow
    await desks.close()


async def test_a_model_on_its_way_is_loading(made: dict[str, Double]) -> None:
    desks = Desks(Bus())
    slow = asyncio.create_task(desks.take(wanting("slow")))
    while not desks.all:  # noqa: ASYNC110
        await asyncio.sleep(0)
    assert (await desks.status(wanting("slow"))).state == "loading"
    made["slow"].gate.set()
    await slow
    await desks.close()
