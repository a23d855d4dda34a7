"""A subscription with an outlet; without one it is tested with the bus."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from backend import subscription as module
from backend.bus import Bus
from backend.subscription import BACKLOG, Dropped, Encoded, Several, Subscription, Wanted
from common.events import Error, Event, Level, Transcription, encode


class Tap:
    """An outlet that takes as much as it is told to."""

    def __init__(self, room: int = 1 << 30) -> None:
        self.room = room
        self.written: list[dict[str, Any]] = []
        self.ends: list[bool] = []
        self.pieces: list[bytes] = []

    @property
    def said(self) -> list[str]:
        return [event.get("text", event["event"]) for event in self.written]

    def take(self, encoded: Encoded) -> bool:
        assert not self.ends, "nothing follows the end"
        if len(self.written) >= self.room:
            return False
        self.written.append(json.loads(encoded.text))
        return True

    def take_several(self, several: Several) -> bool:
        if len(self.written) >= self.room:
            return False
        self.pieces.append(several.frame)
        return True

    def send(self) -> None:
        return None

    def finish(self, rest: bytes) -> None:
        raise AssertionError("nothing is sent unasked")

    def watch(self, stirred: Callable[[], None]) -> None:
        pass

    def end(self, *, too_slow: bool) -> None:
        self.ends.append(too_slow)


def words(text: str, seq: int | None = None, utterance: str = "u") -> Transcription:
    return Transcription(
        text=text, is_final=bool(seq), seq=seq, utterance_id=utterance, start=0, end=1
    )


def level(rms: float) -> Level:
    return Level(rms_dbfs=rms, peak_dbfs=0, speech=0, speaking=False)


def offer(to: Subscription, *events: Event) -> list[bool]:
    return [to.offer(event, Encoded(encode(event))) for event in events]


@pytest.fixture
def told() -> Subscription:
    return Subscription(Wanted(), Dropped())


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_what_is_taken_is_written_at_once_and_nothing_waits(told: Subscription) -> None:
    tap = Tap()
    told.attach(tap)
    assert offer(told, words("he"), level(-1), words("hello", 1)) == [False] * 3
    assert tap.said == ["he", "level", "hello"]


def offer_all(to: Subscription, *events: Event) -> tuple[bool, bytes]:
    """Offer them together; return whether they wait, and their frames one after another."""
    told = [(event, Encoded(encode(event))) for event in events]
    waits = to.offer_all(told, Several(encoded for _, encoded in told))
    return waits, b"".join(encoded.frame for _, encoded in told)


async def test_what_comes_together_is_written_in_one_piece(told: Subscription) -> None:
    tap = Tap()
    told.attach(tap)
    waits, frames = offer_all(told, words("one", 1), words("two", 2))
    assert (waits, tap.pieces, tap.written) == (False, [frames], [])


async def test_what_comes_together_waits_behind_what_waits(told: Subscription) -> None:
    tap = Tap(0)
    told.attach(tap)
    assert offer_all(told, words("one", 1), words("two", 2))[0]
    tap.room = 100
    assert offer_all(told, words("three", 3), words("four", 4))[0]
    assert not told.pump(now())
    assert (tap.said, tap.pieces) == (["one", "two", "three", "four"], [])


async def test_of_what_comes_together_only_what_is_wanted_is_told() -> None:
    tap, picky = Tap(), Subscription(Wanted(levels=False), Dropped())
    picky.attach(tap)
    assert not offer_all(picky, words("one", 1), level(-1), words("two", 2))[0]
    assert (tap.said, tap.pieces) == (["one", "two"], [])


async def test_first_comes_first_then_the_past_then_what_came_meanwhile(
    told: Subscription,
) -> None:
    for seq in (1, 2):
        past = words(f"past {seq}", seq)
        told.resume(past, Encoded(encode(past)))
    offer(told, words("meanwhile", 3))
    tap = Tap(2)
    told.attach(tap, [words("welcome"), words("from history", 1)])
    offer(told, words("new", 4))
    assert tap.said == ["welcome", "from history"]
    tap.room = 100
    assert not told.pump(now())
    assert tap.said == ["welcome", "from history", "past 1", "past 2", "meanwhile", "new"]


async def test_who_is_full_loses_levels_and_partials_and_never_finals() -> None:
    dropped = Dropped()
    told, tap = Subscription(Wanted(), dropped), Tap(0)
    told.attach(tap)
    waits = offer(told, words("h"), level(-1), words("he"), words("one", 1), level(-2))
    assert waits == [True] * 5
    offer(told, words("two", 2, "v"))
    assert told.depth == 2
    tap.room = 100
    assert not told.pump(now())
    assert tap.said == ["one", "level", "two"]
    assert tap.written[1]["rms_dbfs"] == -2
    assert (dropped.levels, dropped.partials, told.depth) == (1, 2, 0)


async def test_new_events_queue_behind_those_that_wait_though_there_is_room(
    told: Subscription,
) -> None:
    tap = Tap(0)
    told.attach(tap)
    offer(told, words("one", 1))
    tap.room = 100
    assert offer(told, words("two", 2)) == [True]
    told.pump(now())
    assert tap.said == ["one", "two"]


async def test_who_takes_nothing_for_two_seconds_is_too_slow_and_told_so_once() -> None:
    dropped = Dropped()
    told, tap = Subscription(Wanted(), dropped), Tap(0)
    told.attach(tap)
    offer(told, words("one", 1))
    assert told.pump(now() + module.PATIENCE - 0.1)
    assert not told.pump(now() + module.PATIENCE + 0.1)
    assert offer(told, words("two", 2)) == [False]
    told.close()
    told.pump(now() + 100)
    assert tap.ends == [True]
    assert (told.too_slow, told.depth, dropped.slow_clients) == (True, 0, 1)


async def test_who_takes_a_little_now_and_then_is_not_too_slow(told: Subscription) -> None:
    tap = Tap(0)
    told.attach(tap)
    offer(told, *(words(str(seq), seq) for seq in range(1, 11)))
    for step in range(1, 10):
        tap.room = step
        assert told.pump(now() + step * module.PATIENCE * 0.9)
    assert tap.ends == []


async def test_too_many_finals_that_wait_are_the_end_at_once(told: Subscription) -> None:
    tap = Tap(0)
    told.attach(tap)
    offer(told, *(words(str(seq), seq) for seq in range(1, BACKLOG + 2)))
    assert tap.ends == [True]


async def test_who_fell_behind_before_there_was_an_outlet_is_told_so(told: Subscription) -> None:
    offer(told, *(words(str(seq), seq) for seq in range(1, BACKLOG + 2)))
    tap = Tap()
    told.attach(tap, [words("welcome")])
    assert (tap.said, tap.ends) == ([], [True])


async def test_replies_wait_their_turn_count_and_end_with_the_end(told: Subscription) -> None:
    tap = Tap(0)
    told.attach(tap)
    offer(told, words("one", 1))
    told.reply(Error(error="e", details="d"))
    assert told.depth == 2
    for _ in range(3 * BACKLOG):
        told.reply(Error(error="e", details="d"))
    assert (told.depth, tap.ends) == (0, [True])


async def test_closing_sends_what_waits_first_and_ends_once(told: Subscription) -> None:
    tap = Tap(0)
    told.attach(tap)
    offer(told, words("one", 1))
    told.close()
    assert tap.ends == []
    tap.room = 100
    told.pump(now())
    told.close()
    told.reply(Error(error="e", details="d"))
    told.pump(now())
    assert (tap.said, tap.ends) == (["one"], [False])


async def test_the_bus_writes_later_what_was_not_taken_at_once() -> None:
    bus = Bus(100)
    with bus.subscribe(Wanted()) as behind, bus.subscribe(Wanted()) as other:
        full, free = Tap(0), Tap()
        bus.attach(behind, full)
        bus.attach(other, free)
        bus.publish(words("hello", 1))
        assert (full.said, free.said) == ([], ["hello"])
        full.room = 1
        async with asyncio.timeout(10):
            while not full.said:  # noqa: ASYNC110
                await asyncio.sleep(0)
    assert full.written == free.written


async def test_a_frame_is_made_once_for_all() -> None:
    encoded = Encoded('{"event":"é"}')
    assert encoded.frame is encoded.frame
    assert encoded.frame == b'\x81\x0e{"event":"\xc3\xa9"}'


async def test_what_is_written_at_once_is_not_iterated_over_and_the_order_stays(
    told: Subscription,
) -> None:
    tap = Tap(1)
    told.shorten(tap.take)
    offer(told, words("one", 1), words("two", 2))
    tap.room = 9
    offer(told, words("three", 3))
    assert tap.said == ["one"]
    texts = aiter(told)
    assert json.loads(await anext(texts))["text"] == "two"
    # While that is being sent nothing passes it.
    offer(told, words("four", 4))
    assert [json.loads(await anext(texts))["text"] for _ in range(2)] == ["three", "four"]
    going_on = asyncio.ensure_future(anext(texts, None))
    await asyncio.sleep(0)
    offer(told, words("five", 5))
    told.close()
    offer(told, words("after the end", 6))
    assert await going_on is None
    assert tap.said == ["one", "five"]
