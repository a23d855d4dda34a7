import asyncio
import json
import threading
from typing import Any

import pytest

from backend.bus import HELD, Bus
from backend.subscription import BACKLOG, Subscription, TooSlow, Wanted
from common.events import Error, Event, Level, ModelProgress, SystemStatus, Transcription

EVERYTHING = Wanted()


def level(rms: float, session: str = "s") -> Level:
    return Level(rms_dbfs=rms, peak_dbfs=0, speech=0, speaking=False, session_id=session)


def words(text: str, utterance: str = "u", *, final: bool = False) -> Transcription:
    return Transcription(
        text=text, is_final=final, utterance_id=utterance, start=0, end=1, session_id="s"
    )


async def waiting(bus: Bus, subscription: Subscription) -> list[dict[str, Any]]:
    subscription.close()
    return [json.loads(text) async for text in subscription]


async def test_durable_events_are_numbered_one_by_one() -> None:
    bus = Bus()
    with bus.subscribe(EVERYTHING) as subscription:
        for number in range(3):
            bus.publish(words(str(number), final=True))
            bus.publish(level(-number))
        seqs = [event["seq"] for event in await waiting(bus, subscription) if "seq" in event]
    assert seqs == [bus.first + 1, bus.first + 2, bus.first + 3]


async def test_numbers_grow_over_restarts() -> None:
    first = Bus()
    assert first.seq > 1_600_000_000_000
    assert Bus().seq >= first.seq


async def test_a_newer_level_takes_the_place_of_an_unsent_one() -> None:
    bus = Bus()
    with bus.subscribe(EVERYTHING) as subscription:
        for number in range(500):
            bus.publish(level(-number))
            bus.publish(level(-number, "other"))
        got = await waiting(bus, subscription)
    assert [event["rms_dbfs"] for event in got] == [-499, -499]
    assert bus.dropped.levels == 998


async def test_a_models_progress_makes_only_its_own_moot() -> None:
    bus = Bus()
    with bus.subscribe(EVERYTHING) as subscription:
        for done in (1, 2, 3):
            bus.publish(ModelProgress(model="a", stage="download", done=done))
            bus.publish(ModelProgress(model="b", stage="download", done=done))
        bus.publish(ModelProgress(model="a", stage="installed", done=3))
        bus.publish(ModelProgress(model="a", stage="load"))
        got = await waiting(bus, subscription)
    assert [(event["model"], event["stage"], event["done"]) for event in got] == [
        ("a", "download", 3),
        ("b", "download", 3),
        ("a", "installed", 3),
        ("a", "load", 0),
    ]


async def test_a_final_takes_the_place_of_its_unsent_partials_only() -> None:
    bus = Bus()
    with bus.subscribe(EVERYTHING) as subscription:
        bus.publish(words("he"))
        bus.publish(words("there", "v"))
        bus.publish(words("hello"))
        bus.publish(words("hello you", final=True))
        got = await waiting(bus, subscription)
    assert [event["text"] for event in got] == ["there", "hello you"]
    assert bus.dropped.partials == 2


async def test_finals_are_never_dropped_and_a_slow_client_is_told_to_resume() -> None:
    bus = Bus()
    with bus.subscribe(EVERYTHING) as slow:
        for number in range(BACKLOG + 1):
            bus.publish(words(str(number), str(number), final=True))
        await asyncio.wait_for(slow.wait_until_too_slow(), 1)
        with pytest.raises(TooSlow):
            async for _ in slow:
                pass
        assert bus.depth == BACKLOG + 1
    assert bus.dropped.slow_clients == 1
    assert bus.depth == 0
    with bus.subscribe(EVERYTHING, since=bus.first) as back:
        got = await waiting(bus, back)
    assert [event["text"] for event in got] == [str(number) for number in range(BACKLOG + 1)]


async def test_a_slow_client_is_nobody_elses_problem() -> None:
    bus = Bus()
    with bus.subscribe(EVERYTHING), bus.subscribe(EVERYTHING) as quick:
        got = []
        for number in range(BACKLOG + 10):
            bus.publish(words(str(number), str(number), final=True))
            got.append(json.loads(await anext(aiter(quick)))["text"])
    assert got == [str(number) for number in range(BACKLOG + 10)]


async def test_resuming_gives_what_was_missed_in_order_and_then_what_is_new() -> None:
    bus = Bus()
    for number in range(5):
        bus.publish(words(str(number), final=True))
    with bus.subscribe(EVERYTHING, since=bus.first + 2) as subscription:
        bus.publish(words("new", final=True))
        got = await waiting(bus, subscription)
    assert [event["text"] for event in got] == ["2", "3", "4", "new"]


async def test_what_is_no_longer_held_is_a_gap() -> None:
    bus = Bus()
    assert not bus.missing_since(bus.seq)
    bus.publish(words("x", final=True))
    assert not bus.missing_since(bus.first)
    assert bus.missing_since(bus.first - 1)
    assert bus.missing_since(bus.seq + 1)
    for _ in range(HELD):
        bus.publish(words("x", final=True))
    assert bus.missing_since(bus.first)


async def test_a_number_of_another_server_gets_all_that_is_held() -> None:
    bus = Bus()
    bus.publish(words("x", final=True))
    with bus.subscribe(EVERYTHING, since=bus.seq + 1000) as subscription:
        assert len(await waiting(bus, subscription)) == 1


async def test_only_what_was_asked_for_is_sent() -> None:
    bus = Bus()
    names = frozenset({"transcription", "level"})
    wanted = Wanted(names, session="s", levels=False)
    with bus.subscribe(wanted) as subscription:
        bus.publish(SystemStatus(running=True))
        bus.publish(level(-1))
        bus.publish(words("mine"))
        bus.publish(words("other", "w").model_copy(update={"session_id": "t"}))
        got = await waiting(bus, subscription)
    assert [event["text"] for event in got] == ["mine"]


async def test_who_is_settled_on_a_session_is_told_its_events_alone() -> None:
    bus = Bus(100)
    one, other = Wanted(session="s"), Wanted(session="t")
    with bus.subscribe(one, settled=True) as mine, bus.subscribe(one, settled=True) as too:
        with bus.subscribe(other, settled=True) as others:
            bus.publish(words("mine", final=True))
            bus.publish(SystemStatus(running=True))
            assert await waiting(bus, others) == []
        assert [event["text"] for event in await waiting(bus, mine)] == ["mine"]
    with bus.subscribe(one, since=100, settled=True) as back:
        assert [event["text"] for event in await waiting(bus, back)] == ["mine"]
    assert too.depth == 1
    assert bus.connections == 0


async def test_a_reply_is_for_one_alone() -> None:
    bus = Bus()
    with bus.subscribe(EVERYTHING) as one, bus.subscribe(EVERYTHING) as other:
        one.reply(Error(error="e", details="d"))
        assert len(await waiting(bus, one)) == 1
        assert await waiting(bus, other) == []


async def test_other_threads_may_tell() -> None:
    bus = Bus()
    with bus.subscribe(EVERYTHING) as subscription:
        thread = threading.Thread(target=bus.tell, args=(words("hello", final=True),))
        thread.start()
        text = await asyncio.wait_for(anext(aiter(subscription)), 5)
        thread.join()
    assert json.loads(text)["text"] == "hello"


async def test_closing_delivers_what_waits_and_ends() -> None:
    bus = Bus()
    with bus.subscribe(EVERYTHING) as subscription:
        bus.publish(words("last", final=True))
        bus.close()
        got = [json.loads(text)["text"] async for text in subscription]
        assert not await bus.wait_until_empty(0.01)
    assert got == ["last"]
    assert await bus.wait_until_empty(1)


async def test_who_asks_without_reading_the_replies_is_too_slow() -> None:
    bus = Bus()
    with bus.subscribe(Wanted()) as subscription:
        for _ in range(BACKLOG + 1):
            subscription.reply(level(-20))
        with pytest.raises(TooSlow):
            await anext(aiter(subscription))
    assert bus.dropped.slow_clients == 1


async def test_who_comes_after_the_close_is_sent_away() -> None:
    bus = Bus()
    bus.close()
    with bus.subscribe(Wanted()) as subscription:
        assert [text async for text in subscription] == []


class Slow:
    """A keeper that writes when it is told to."""

    def __init__(self) -> None:
        self.pending: list[asyncio.Future[None]] = []

    def keep(self, event: Event, sound: object) -> "asyncio.Future[None] | None":
        if not isinstance(event, Transcription):
            return None
        self.pending.append(asyncio.get_running_loop().create_future())
        return self.pending[-1]


async def test_finals_written_out_of_turn_are_told_in_turn() -> None:
    keeper = Slow()
    bus = Bus(100, keeper)
    with bus.subscribe(EVERYTHING) as subscription:
        for text in ("one", "two", "three"):
            bus.publish(words(text, text, final=True))
        bus.publish(SystemStatus(running=True))
        assert bus.seq == 100
        for late in (keeper.pending[2], keeper.pending[1]):
            late.set_result(None)
        await asyncio.sleep(0)
        assert bus.seq == 100, "the first holds up the others"
        settled = asyncio.create_task(bus.settle())
        await asyncio.sleep(0)
        assert not settled.done()
        keeper.pending[0].set_result(None)
        await asyncio.wait_for(settled, 1)
        got = await waiting(bus, subscription)
    assert [event["seq"] for event in got] == [101, 102, 103, 104]


async def test_who_comes_while_a_final_is_written_is_told_it_once() -> None:
    keeper = Slow()
    bus = Bus(100, keeper)
    bus.publish(words("hello", final=True))
    with bus.subscribe(EVERYTHING, since=100) as subscription:
        assert bus.seq == 100
        keeper.pending[0].set_result(None)
        await bus.settle()
        got = await waiting(bus, subscription)
    assert [event["seq"] for event in got] == [101]


async def test_what_is_forgotten_is_not_told_again() -> None:
    bus = Bus(100)
    for text in ("one", "two"):
        bus.publish(words(text, text, final=True))
    bus.forget({101})
    assert [final.text for final in bus.recent] == ["two"]
    with bus.subscribe(EVERYTHING, since=100) as subscription:
        got = await waiting(bus, subscription)
    assert [event["text"] for event in got] == ["two"]
