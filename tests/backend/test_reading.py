"""From what is heard to what is told, through a real desk; only the engine is a scribe."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import numpy as np
import pytest

from backend.clock import Clock
from backend.desks import Taken
from backend.engines import Audio, Reading, Wishes
from backend.engines.desk import Desk
from backend.hearing import RATE
from backend.hearing.heard import Growing, Utterance
from backend.hearing.wake import Choice, Spotted
from backend.meters import Meters
from backend.reading import CONTEXT, Reader, percentile, wishes
from backend.waking import Waking
from common.events import Error, Event, Transcription
from common.profile import TranscriptionPart, WakeWordPart
from tests.backend.engines.test_desk import SOON, Scribe, quiet


class Eager(Scribe):
    """Remembers what it was asked for, and says how much sound it was given."""

    eager = True

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Wishes] = []

    def final(self, utterance: str, audio: Audio, wishes: Wishes) -> Reading:
        self.asked.append(wishes)
        self._read(f"final {utterance}")
        return Reading(f"{len(audio)} samples")

    def partial(self, utterance: str, audio: Audio, wishes: Wishes) -> Reading:
        self._read(f"partial {utterance}")
        return Reading(f"{len(audio)} so far")


class Table:
    """A reader, its engine, and what it told."""

    def __init__(self, part: TranscriptionPart, engine: Scribe) -> None:
        self.engine = engine
        self.desk = Desk(engine)
        self.desk.load(quiet).result(SOON)
        self.told: list[Event] = []
        self.backlog: list[float] = []
        self.reader = Reader(
            "s",
            part,
            Taken(self.desk, "for the test"),
            Clock(),
            Meters(),
            tell=self.told.append,
            backlog=self.backlog.append,
        )

    def finals(self) -> list[str]:
        return [one.text for one in self.told if isinstance(one, Transcription) and one.is_final]

    def partials(self) -> list[str]:
        told = [one for one in self.told if isinstance(one, Transcription)]
        return [one.text for one in told if not one.is_final]


@pytest.fixture
async def table() -> AsyncIterator[Table]:
    table = Table(TranscriptionPart(partials=True), Eager())
    yield table
    table.engine.go.set()
    assert await asyncio.to_thread(table.desk.close)


def grown(seconds: float, number: int = 1, *, paused: bool = True) -> Growing:
    return Growing(number, 0.1, seconds, 0.0, sound(seconds), paused)


def spoken(seconds: float, number: int = 1, *, cut: bool = False) -> Utterance:
    return Utterance(number, 0.1, seconds, 0.0, sound(seconds), cut)


def sound(seconds: float) -> Audio:
    return np.zeros(round(seconds * RATE), np.int16)


async def test_a_final_that_was_read_in_the_pause_is_not_read_again(table: Table) -> None:
    table.reader.take(grown(1))
    await table.reader.wait()
    assert table.partials() == ["16000 samples"]
    table.reader.take(spoken(1))
    await table.reader.wait()
    assert table.finals() == ["16000 samples"]
    assert table.engine.done.count("final s-1") == 1


async def test_a_final_that_is_being_read_in_the_pause_is_waited_for(table: Table) -> None:
    table.engine.hold()
    table.reader.take(grown(1))
    await asyncio.to_thread(table.engine.wait_begun)
    table.reader.take(spoken(1))
    await asyncio.sleep(0)
    table.engine.go.set()
    await table.reader.wait()
    assert (table.partials(), table.finals()) == ([], ["16000 samples"])
    assert table.engine.done.count("final s-1") == 1


async def test_what_was_read_in_a_pause_is_dropped_when_speech_goes_on(table: Table) -> None:
    table.reader.take(grown(1))
    await table.reader.wait()
    table.reader.take(grown(1.5, paused=False))
    await table.reader.wait()
    table.reader.take(spoken(2))
    await table.reader.wait()
    assert table.finals() == ["32000 samples"]
    assert table.engine.done.count("final s-1") == 2


async def test_without_partials_nothing_is_told_before_the_final() -> None:
    table = Table(TranscriptionPart(partials=False), Eager())
    table.reader.take(grown(1))
    await table.reader.wait()
    assert not table.told
    table.reader.take(spoken(1))
    await table.reader.wait()
    assert table.finals() == ["16000 samples"]
    assert table.engine.done.count("final s-1") == 1
    assert await asyncio.to_thread(table.desk.close)


async def test_an_engine_that_is_not_eager_reads_a_partial_in_the_pause(table: Table) -> None:
    table.engine.eager = False
    table.reader.take(grown(1))
    table.reader.take(grown(1.2))
    await table.reader.wait()
    table.reader.take(spoken(1.2))
    await table.reader.wait()
    assert table.finals() == ["19200 samples"]
    assert table.engine.done.count("final s-1") == 1


async def test_the_rest_of_a_sentence_is_read_with_its_beginning(table: Table) -> None:
    table.reader.take(spoken(1, 1, cut=True))
    table.reader.take(spoken(2, 2, cut=True))
    table.reader.take(spoken(3, 3))
    table.reader.take(spoken(4, 4))
    await table.reader.wait()
    assert table.finals() == ["16000 samples", "32000 samples", "48000 samples", "64000 samples"]
    prompts = [wishes.prompt for wishes in table.engine.asked]
    assert sorted(prompts, key=str) == ["16000 samples", "32000 samples", None, None]


def said_at(start: float, number: int) -> Utterance:
    return Utterance(number, start, start + 1, start, sound(number), cut=False)


async def test_what_was_said_just_before_is_context_and_after_a_long_pause_it_is_not(
    table: Table,
) -> None:
    for start, number in ((0.0, 1), (2.0, 2), (20.0, 3)):
        table.reader.take(said_at(start, number))
        await table.reader.wait()
    assert [wishes.prompt for wishes in table.engine.asked] == [None, "16000 samples", None]


async def test_what_the_engine_was_not_sure_of_is_no_context(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = table.engine.final

    def unsure(utterance: str, audio: Audio, wishes: Wishes) -> Reading:
        return replace(read(utterance, audio, wishes), confidence=0.3)

    monkeypatch.setattr(table.engine, "final", unsure)
    for number in (1, 2):
        table.reader.take(said_at(2.0 * number, number))
        await table.reader.wait()
    assert [wishes.prompt for wishes in table.engine.asked] == [None, None]


def test_prompt_and_vocabulary_are_one_prompt() -> None:
    part = TranscriptionPart(prompt="About music.", vocabulary=["Bartók", "Bösendorfer"])
    assert wishes(part).prompt == "About music. Bartók, Bösendorfer"
    assert wishes(TranscriptionPart()).prompt is None


async def test_a_context_over_which_the_model_falls_silent_costs_no_words(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = table.engine.final

    def shy(utterance: str, audio: Audio, wishes: Wishes) -> Reading:
        reading = read(utterance, audio, wishes)
        return Reading("") if wishes.prompt else reading

    monkeypatch.setattr(table.engine, "final", shy)
    table.reader.take(spoken(1, 1, cut=True))
    table.reader.take(spoken(2, 2))
    await table.reader.wait()
    assert table.finals() == ["16000 samples", "32000 samples"]


async def test_the_context_follows_the_profile_s_prompt_and_is_short() -> None:
    table = Table(TranscriptionPart(prompt="Zürich, Genève"), Eager())
    table.reader.take(spoken(1, 1, cut=True))
    table.reader.take(spoken(1, 2))
    await table.reader.wait()
    assert table.engine.asked[1].prompt == "Zürich, Genève 16000 samples"
    assert CONTEXT < 4 * 224  # About what Whisper takes of a prompt.
    assert await asyncio.to_thread(table.desk.close)


async def test_a_final_that_contradicts_what_was_stable_says_so(table: Table) -> None:
    told = iter(["one two", "one two three", "one too many", "one two", "one two", "one two"])

    def read(utterance: str, audio: Audio, wishes: Wishes) -> Reading:
        return Reading(next(told))

    table.engine.partial = table.engine.final = read  # type: ignore[method-assign]
    for number in (1, 2):
        for seconds in (1, 2):
            table.reader.take(grown(seconds, number, paused=False))
            await table.reader.wait()
        table.reader.take(spoken(3, number))
        await table.reader.wait()
    finals = [one for one in table.told if isinstance(one, Transcription) and one.is_final]
    assert [(one.text, one.revised) for one in finals] == [
        ("one too many", True),
        ("one two", False),
    ]


async def test_an_engine_s_fault_is_told_and_the_next_is_read(table: Table) -> None:
    table.engine.fault = RuntimeError("broken")
    table.reader.take(spoken(1, 1, cut=True))
    await table.reader.wait()
    table.engine.fault = None
    table.reader.take(spoken(1, 2))
    await table.reader.wait()
    again, fault = [one for one in table.told if isinstance(one, Error)]
    assert "broken" in again.details
    assert "once more" in again.details
    assert "broken" in fault.details
    assert table.finals() == ["16000 samples"]
    assert table.backlog[-1] == 0 == table.reader.waiting


async def test_an_utterance_over_which_the_engine_broke_down_is_read_once_more(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, faults = table.engine.final, [RuntimeError("broken")]

    def breaks_down_once(utterance: str, audio: Audio, wishes: Wishes) -> Reading:
        if faults:
            raise faults.pop()
        return read(utterance, audio, wishes)

    monkeypatch.setattr(table.engine, "final", breaks_down_once)
    table.reader.take(spoken(1, 1))
    table.reader.take(spoken(2, 2))
    await table.reader.wait()
    (told,) = [one for one in table.told if isinstance(one, Error)]
    assert told.recoverable
    assert "broken" in told.details
    assert table.finals() == ["16000 samples", "32000 samples"]


async def test_giving_up_leaves_nothing_waiting(table: Table) -> None:
    table.engine.hold()
    for number in (1, 2, 3):
        table.reader.take(spoken(1, number))
    await asyncio.to_thread(table.engine.wait_begun)
    assert table.reader.busy
    assert table.reader.waiting == 3
    table.reader.abandon()
    await table.reader.wait()
    assert not table.reader.busy
    assert table.reader.waiting == 0
    assert not table.finals()


class Reciter(Eager):
    """Reads its texts one after the other, whatever it is given."""

    def __init__(self, *texts: str) -> None:
        super().__init__()
        self._texts = iter(texts)

    def final(self, utterance: str, audio: Audio, wishes: Wishes) -> Reading:
        return Reading(next(self._texts))


async def test_without_follow_up_one_answer_is_told_however_long_it_is_read() -> None:
    """The second utterance is read before the first, whose word is misread, is answered."""
    texts = ("her service lights on", "not for you", "lights on")
    table = Table(TranscriptionPart(partials=False), Reciter(*texts))
    part = WakeWordPart(enabled=True)
    table.reader.waking = Waking(
        part, Choice("porcupine", ""), always=False, tell=table.told.append
    )
    table.reader.waking.spot(Spotted("jarvis", None, 0.5, 1))
    table.reader.take(spoken(1.5, 1))
    table.reader.take(Utterance(2, 2.5, 4, 2.5, sound(1.5), cut=False))
    await table.reader.wait()
    assert table.finals() == ["lights on"]
    assert await asyncio.to_thread(table.desk.close)


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([], 0.5) is None
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.5) == 2.0
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.95) == 4.0
