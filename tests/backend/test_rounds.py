import asyncio
from collections.abc import Sequence

import pytest

from backend import rounds
from backend.rounds import MANY, Rounds


class Teller:
    """Tells so many clients, and notes each round."""

    def __init__(self, clients: int) -> None:
        self.clients = clients
        self.told: list[list[int]] = []
        self.rounds = Rounds(self.tell)

    def tell(self, items: Sequence[int]) -> int:
        self.told.append(list(items))
        return self.clients

    @property
    def flat(self) -> list[int]:
        return [item for items in self.told for item in items]


async def until_told(teller: Teller, count: int) -> None:
    async with asyncio.timeout(20):
        while len(teller.flat) < count:  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_few_are_told_each_at_once() -> None:
    teller = Teller(MANY - 1)
    for item in range(3):
        teller.rounds.add(item)
        assert teller.told[-1] == [item]


async def test_many_are_told_the_first_at_once_and_what_comes_meanwhile_together() -> None:
    teller = Teller(MANY)
    for item in range(5):
        teller.rounds.add(item)
    assert teller.told == [[0]]
    await until_told(teller, 5)
    assert teller.told == [[0], [1, 2, 3, 4]]


async def test_a_round_has_a_bound_and_the_order_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "MOST", 2)
    teller = Teller(MANY)
    for item in range(6):
        teller.rounds.add(item)
    await until_told(teller, 6)
    assert teller.told == [[0], [1, 2], [3, 4], [5]]


async def test_what_waits_is_told_when_it_must_be_and_only_once() -> None:
    teller = Teller(MANY)
    for item in range(4):
        teller.rounds.add(item)
    teller.rounds.flush()
    assert teller.told == [[0], [1, 2, 3]]
    teller.rounds.add(4)
    await until_told(teller, 5)
    assert teller.flat == [0, 1, 2, 3, 4]


async def test_what_telling_brings_about_follows_what_is_being_told() -> None:
    class Answering(Teller):
        def tell(self, items: Sequence[int]) -> int:
            if items == [1]:
                self.rounds.add(2)
                assert self.told == []
            return super().tell(items)

    teller = Answering(1)
    teller.rounds.add(1)
    await until_told(teller, 2)
    assert teller.told == [[1], [2]]


async def test_a_telling_that_fails_is_not_the_last() -> None:
    class Failing(Teller):
        def tell(self, items: Sequence[int]) -> int:
            super().tell(items)
            if items == [1]:
                raise RuntimeError
            return self.clients

    teller = Failing(MANY)
    with pytest.raises(RuntimeError):
        teller.rounds.add(1)
    teller.rounds.add(2)
    assert teller.told == [[1], [2]]
