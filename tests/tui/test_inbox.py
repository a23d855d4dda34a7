import asyncio

from common.events import Event, SystemStatus, Transcription
from tests.tui.loopback import level, said
from tui.inbox import BOUND, Inbox


async def taken(*events: Event) -> list[Event]:
    inbox = Inbox()
    for event in events:
        await inbox.put(event)
    return inbox.take()


async def test_only_the_newest_level_of_a_session_is_kept() -> None:
    kept = await taken(level(-1), level(-2, session_id="s2"), level(-3))
    assert [getattr(event, "rms_dbfs", None) for event in kept] == [-2, -3]


async def test_a_partial_makes_way_for_what_is_newer_of_its_utterance() -> None:
    kept = await taken(said("he", final=False), said("x", "u2"), said("hel", final=False))
    assert [getattr(event, "text", None) for event in kept] == ["x", "hel"]
    kept = await taken(said("hel", final=False), said("hello"))
    assert [getattr(event, "is_final", None) for event in kept] == [True]


async def test_no_final_and_no_fact_is_ever_dropped() -> None:
    facts = [SystemStatus(running=True), SystemStatus(running=True)]
    events = [said("hello"), said("late", final=False), said("hello"), *facts]
    assert await taken(*events) == events


async def test_whoever_puts_too_much_in_waits_until_it_is_taken() -> None:
    inbox = Inbox()
    for number in range(BOUND):
        await inbox.put(said("x", str(number)))
    more = asyncio.create_task(inbox.put(said("y", "more")))
    await asyncio.sleep(0)
    assert not more.done()
    first = inbox.take()
    await more
    assert len(first) == BOUND
    assert [event.text for event in inbox.take() if isinstance(event, Transcription)] == ["y"]
