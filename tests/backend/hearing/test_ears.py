"""The hearing thread: bounds, turns, ends and exceptions."""

import asyncio
import logging
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from backend.hearing import Block
from backend.hearing.ears import Ears, Inlet
from backend.hearing.news import News, Returned

PATIENCE = 10
"""Seconds to wait for what must happen."""


def block(value: int = 0, samples: int = 10) -> Block:
    return np.full((samples, 1), value, np.int16)


class Notes:
    """A listener that writes down what it hears, and can be made to dawdle or fail."""

    def __init__(self, shared: list[tuple[str, int]] | None = None, name: str = "") -> None:
        self.heard: list[int] = []
        self.flushes: list[int] = []
        self.news: list[tuple[News, int]] = []
        self.faults: list[Exception | None] = []
        self.finished = threading.Event()
        self.busy = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()
        self.failing: Exception | None = None
        self._shared = shared
        self._name = name

    def hear(self, block: Block) -> None:
        self.busy.set()
        assert self.go_on.wait(PATIENCE)
        if self.failing:
            raise self.failing
        self.heard.append(int(block[0, 0]))
        if self._shared is not None:
            self._shared.append((self._name, int(block[0, 0])))

    def flush(self) -> None:
        self.flushes.append(len(self.heard))

    def note(self, news: News) -> None:
        self.news.append((news, len(self.heard)))

    def finish(self, fault: Exception | None) -> None:
        self.faults.append(fault)
        self.finished.set()


@pytest.fixture
def ears() -> Iterator[Ears]:
    made = Ears()
    yield made
    made.close()


def busy(ears: Ears, bound: int = 20) -> tuple[Notes, Inlet]:
    """Return a listener that is at its first block until told to go on."""
    notes = Notes()
    notes.go_on.clear()
    inlet = ears.open(notes, bound)
    inlet.offer(block(0))
    assert notes.busy.wait(PATIENCE)
    return notes, inlet


def test_blocks_are_heard_in_order_and_then_the_end(ears: Ears) -> None:
    notes = Notes()
    inlet = ears.open(notes, 1000)
    for number in range(5):
        assert inlet.put(block(number))
    inlet.end()
    assert notes.finished.wait(PATIENCE)
    assert (notes.heard, notes.faults) == ([0, 1, 2, 3, 4], [None])


def test_what_does_not_fit_is_dropped_and_counted(ears: Ears) -> None:
    notes, inlet = busy(ears, bound=20)
    assert [inlet.offer(block(number)) for number in (1, 2, 3, 4)] == [True, True, False, False]
    assert inlet.lost == 20
    notes.go_on.set()
    inlet.end()
    assert notes.finished.wait(PATIENCE)
    assert notes.heard == [0, 1, 2]


def test_what_is_not_taken_stays_with_its_source_and_is_not_lost(ears: Ears) -> None:
    notes, inlet = busy(ears, bound=20)
    assert [inlet.take(block(number)) for number in (1, 2, 3)] == [True, True, False]
    notes.go_on.set()
    inlet.end()
    assert not inlet.take(block(4))
    assert notes.finished.wait(PATIENCE)
    assert (notes.heard, inlet.lost) == ([0, 1, 2], 0)


def test_a_patient_source_waits_for_room(ears: Ears) -> None:
    notes, inlet = busy(ears, bound=20)
    pushing = threading.Thread(target=lambda: [inlet.put(block(number)) for number in range(1, 6)])
    pushing.start()
    notes.go_on.set()
    pushing.join(PATIENCE)
    inlet.end()
    assert notes.finished.wait(PATIENCE)
    assert (notes.heard, inlet.lost) == ([0, 1, 2, 3, 4, 5], 0)


def test_a_source_that_waits_is_told_of_the_end(ears: Ears) -> None:
    notes, inlet = busy(ears, bound=10)
    inlet.put(block(1))
    answers: list[bool] = []
    pushing = threading.Thread(target=lambda: answers.append(inlet.put(block(2))))
    pushing.start()
    inlet.end()
    pushing.join(PATIENCE)
    notes.go_on.set()
    assert notes.finished.wait(PATIENCE)
    assert (answers, notes.heard) == ([False], [0, 1])


async def test_a_feeder_waits_without_holding_up_the_loop(ears: Ears) -> None:
    notes, inlet = busy(ears, bound=10)
    assert await inlet.feed(block(1))
    feeding = [asyncio.create_task(inlet.feed(block(2))), asyncio.create_task(inlet.feed(block(3)))]
    await asyncio.sleep(0)
    assert not any(task.done() for task in feeding)
    notes.go_on.set()
    async with asyncio.timeout(PATIENCE):
        assert await asyncio.gather(*feeding) == [True, True]


async def test_a_feeder_that_waits_is_told_of_the_end(ears: Ears) -> None:
    notes, inlet = busy(ears, bound=10)
    await inlet.feed(block(1))
    feeding = asyncio.create_task(inlet.feed(block(2)))
    await asyncio.sleep(0)
    inlet.end()
    async with asyncio.timeout(PATIENCE):
        assert not await feeding
    assert not await inlet.feed(block(3))
    notes.go_on.set()


def test_a_feeder_whose_loop_is_gone_does_no_harm(ears: Ears) -> None:
    notes, inlet = busy(ears, bound=10)

    async def give_up() -> None:
        await inlet.feed(block(1))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(inlet.feed(block(2)), 0.01)

    asyncio.run(give_up())
    notes.go_on.set()
    inlet.end()
    assert notes.finished.wait(PATIENCE)
    assert notes.heard == [0, 1]


async def test_held_sources_wait_and_a_microphone_does_not(ears: Ears) -> None:
    notes = Notes()
    inlet = ears.open(notes, 100)
    inlet.hold(True)
    feeding = asyncio.create_task(inlet.feed(block(2)))
    await asyncio.sleep(0)
    assert inlet.offer(block(1))
    assert not feeding.done()
    inlet.hold(False)
    async with asyncio.timeout(PATIENCE):
        assert await feeding
    inlet.end()
    assert await asyncio.to_thread(notes.finished.wait, PATIENCE)
    assert notes.heard == [1, 2]


def test_inlets_take_turns_however_much_one_has_queued(ears: Ears) -> None:
    blocker, blocked = busy(ears)
    order: list[tuple[str, int]] = []
    much, little = Notes(order, "much"), Notes(order, "little")
    first, second = ears.open(much, 1000), ears.open(little, 1000)
    for number in range(20):
        first.offer(block(number))
    second.offer(block(0))
    first.end()
    second.end()
    blocked.end()
    blocker.go_on.set()
    assert much.finished.wait(PATIENCE)
    assert order[:2] == [("much", 0), ("little", 0)]
    assert much.heard == list(range(20))


def test_news_keep_their_place_among_the_blocks_and_need_no_room(ears: Ears) -> None:
    notes = Notes()
    inlet = ears.open(notes, 20)
    notes.go_on.clear()
    for value in range(4):
        inlet.offer(block(value))
    inlet.tell(Returned("here"))
    assert inlet.lost > 0
    notes.go_on.set()
    inlet.end()
    inlet.tell(Returned("too late"))
    assert notes.finished.wait(PATIENCE)
    assert notes.news == [(Returned("here"), len(notes.heard))]
    assert notes.heard[:2] == [0, 1]


def test_a_flush_comes_after_what_was_queued(ears: Ears) -> None:
    notes, inlet = busy(ears, bound=100)
    inlet.offer(block(1))
    for _ in range(3):
        inlet.flush()
    inlet.offer(block(2))
    inlet.end()
    inlet.flush()
    notes.go_on.set()
    assert notes.finished.wait(PATIENCE)
    assert (notes.heard, notes.flushes) == ([0, 1, 2], [2])


def test_the_first_end_counts(ears: Ears) -> None:
    notes, fault = Notes(), OSError("unplugged")
    inlet = ears.open(notes, 100)
    inlet.end(fault)
    inlet.end()
    assert notes.finished.wait(PATIENCE)
    assert notes.faults == [fault]
    assert not inlet.offer(block())
    assert not inlet.put(block())
    assert inlet.lost == 0


@pytest.mark.parametrize("ended", [False, True])
def test_a_listener_that_fails_is_finished_once_and_the_others_go_on(
    ears: Ears, ended: bool, caplog: pytest.LogCaptureFixture
) -> None:
    notes, inlet = busy(ears, bound=100)
    notes.failing = ValueError("cannot hear")
    for number in range(5):
        inlet.offer(block(number))
    inlet.flush()
    if ended:
        inlet.end()
    with caplog.at_level(logging.ERROR):
        notes.go_on.set()
        assert notes.finished.wait(PATIENCE)
    assert not inlet.offer(block())
    other = Notes()
    after = ears.open(other, 100)
    after.offer(block(7))
    after.end()
    assert other.finished.wait(PATIENCE)
    assert (notes.faults, other.heard) == ([notes.failing], [7])


def test_a_listener_that_fails_to_finish_does_no_harm(
    ears: Ears, caplog: pytest.LogCaptureFixture
) -> None:
    class Stubborn(Notes):
        def finish(self, fault: Exception | None) -> None:
            super().finish(fault)
            raise RuntimeError("no end")

    stubborn, other = Stubborn(), Notes()
    ears.open(stubborn, 10).end()
    ears.open(other, 10).end()
    assert other.finished.wait(PATIENCE)
    assert stubborn.faults == [None]


def test_closing_hears_what_is_queued_and_finishes_everybody() -> None:
    ears = Ears()
    notes, inlet = busy(ears, bound=1000)
    for number in range(1, 10):
        inlet.offer(block(number))
    closing = threading.Thread(target=ears.close)
    closing.start()
    notes.go_on.set()
    closing.join(PATIENCE)
    assert not closing.is_alive()
    assert (notes.heard, notes.faults) == (list(range(10)), [None])
    assert not inlet.put(block())


def test_closed_ears_can_be_used_again() -> None:
    ears = Ears()
    for _ in range(2):
        notes = Notes()
        ears.open(notes, 100).offer(block(3))
        ears.close()
        assert (notes.heard, notes.faults) == ([3], [None])
    ears.close()
