"""What an engine fails on is read by the fallback, through real desks."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from backend import desks as module
from backend.bus import Bus
from backend.clock import Clock
from backend.desks import Desks
from backend.engines import Audio, EngineError, Progress, Reading, Wishes
from backend.engines.choose import Choice
from backend.meters import Meters
from backend.problems import Problem
from backend.reading import Reader
from backend.spare import Spare
from common.events import Error, Event, Transcription
from common.profile import TranscriptionPart
from tests.backend.test_reading import spoken


class Double:
    """An engine that the test can break."""

    model = "m"
    device = "cpu"
    eager = False

    def __init__(self, name: str) -> None:
        self.name = name
        self.fault = ""
        self.asked: list[Wishes] = []

    def load(self, progress: Progress) -> None:
        if self.fault == "at once":
            raise EngineError("it can't be loaded")

    def check(self, wishes: Wishes) -> None: ...

    def warm_up(self) -> None: ...

    def partial(self, utterance: str, audio: Audio, wishes: Wishes) -> Reading:
        return Reading("")

    def final(self, utterance: str, audio: Audio, wishes: Wishes) -> Reading:
        self.asked.append(wishes)
        if self.fault:
            raise EngineError(self.fault)
        return Reading(f"read by {self.name}")

    def cancel(self) -> None: ...

    def unload(self) -> None: ...


@dataclass
class Table:
    """A session's reader, its engines and what it told."""

    engines: dict[str, Double]
    desks: Desks
    told: list[Event] = field(default_factory=list)

    async def read(self, part: TranscriptionPart, *faults: str) -> None:
        """Read an utterance after the other, the session's own engine with these faults."""
        taken = await self.desks.take(part)
        spare = Spare(self.desks, self.told.append)
        reader = Reader(
            "s",
            part,
            taken,
            Clock(),
            Meters(),
            tell=self.told.append,
            backlog=lambda seconds: None,
            spare=spare,
        )
        for number, fault in enumerate(faults, 1):
            self.engines[part.engine].fault = fault
            reader.take(spoken(1, number))
            await reader.wait()
        self.desks.give_back(taken)

    def finals(self) -> list[tuple[str, str | None]]:
        told = [one for one in self.told if isinstance(one, Transcription)]
        return [(one.text, one.engine) for one in told]

    def errors(self) -> list[Error]:
        return [one for one in self.told if isinstance(one, Error)]


@pytest.fixture
async def table(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Table]:
    engines = {name: Double(name) for name in ("openai", "mlx_whisper", "pocketsphinx")}

    def choose(part: TranscriptionPart) -> Choice:
        if part.model == "nowhere":
            raise EngineError("there is no such model")
        return Choice(engines[part.engine], "for the test")

    monkeypatch.setattr(module, "choose", choose)
    table = Table(engines, Desks(Bus()))
    yield table
    assert all(taken.users == 0 for taken in table.desks.all)
    await table.desks.close()


def asked(**given: str) -> TranscriptionPart:
    return TranscriptionPart.model_validate({"engine": "openai", "options": {"x": 1}, **given})


async def test_the_fallback_reads_and_is_told_of_once_an_outage(table: Table) -> None:
    await table.read(asked(fallback="pocketsphinx"), "", "away", "away", "", "away")
    assert [engine for _, engine in table.finals()] == [
        "openai",
        "pocketsphinx",
        "pocketsphinx",
        "openai",
        "pocketsphinx",
    ]
    assert [one.recoverable for one in table.errors()] == [True, True]
    assert table.errors()[0].details == (
        "away; until openai works again, what it fails on is read by pocketsphinx"
    )
    assert [one.spare for one in table.engines["openai"].asked] == [True] * 5
    assert {(one.spare, *one.options) for one in table.engines["pocketsphinx"].asked} == {(False,)}


async def test_without_a_fallback_each_loss_is_told(table: Table) -> None:
    await table.read(asked(), "away", "away")
    assert [one.details for one in table.errors()] == ["away", "away"]
    assert not table.finals()
    assert [one.spare for one in table.engines["openai"].asked] == [False, False]


async def test_the_engine_that_failed_is_not_its_own_fallback(table: Table) -> None:
    part = TranscriptionPart(engine="pocketsphinx", fallback="pocketsphinx")
    await table.read(part, "broken")
    assert [one.details for one in table.errors()] == ["broken"]


async def test_a_fallback_that_fails_too_hides_neither_fault(table: Table) -> None:
    table.engines["mlx_whisper"].fault = "at once"
    await table.read(asked(fallback="mlx_whisper"), "away")
    (told,) = table.errors()
    assert told.details.startswith("away; and the fallback failed too: ")
    assert told.details.endswith("it can't be loaded")


async def test_a_fallback_that_cannot_be_had_is_refused_at_the_start(table: Table) -> None:
    with pytest.raises(Problem, match=r"transcription\.fallback: there is no such model"):
        await table.desks.take(asked(fallback="mlx_whisper", fallback_model="nowhere"))


async def test_utterances_that_fail_at_once_are_all_read(table: Table) -> None:
    part = asked(fallback="mlx_whisper")
    await asyncio.gather(*(table.read(part, "away") for _ in range(3)))
    assert table.finals() == [("read by mlx_whisper", "mlx_whisper")] * 3
