"""A history on a folder of its own, and finals to put into it."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from backend.bus import Bus
from backend.history import History
from backend.settings import Settings
from backend.subscription import Subscription, Wanted
from common.events import Event, SessionStarted, SessionStopped, Transcription, parse


@asynccontextmanager
async def opened(folder: Path, **told: Any) -> AsyncIterator[tuple[History, Bus]]:
    """Open a history and a bus that it keeps the events of, as a server's life does."""
    history = History(Settings(data_dir=folder, **told))
    bus = Bus(history.open(), history)
    history.tell, history.forgotten = bus.publish, bus.forget
    try:
        yield history, bus
    finally:
        await asyncio.to_thread(history.close)


def final(text: str, utterance: str = "s-1", session: str = "s", **more: Any) -> Transcription:
    return Transcription(
        text=text,
        is_final=True,
        utterance_id=utterance,
        session_id=session,
        **{"start": 0.0, "end": 1.0, **more},
    )


def started(session: str = "s") -> SessionStarted:
    return SessionStarted(source="stream", profile="dictation", session_id=session)


def stopped(session: str = "s") -> SessionStopped:
    return SessionStopped(reason="stopped", session_id=session)


async def say(bus: Bus, *texts: str, session: str = "s", **more: Any) -> None:
    """Have a session say something; return when it was told."""
    bus.publish(started(session))
    for number, text in enumerate(texts, 1):
        bus.publish(final(text, f"{session}-{number}", session, **more))
    bus.publish(stopped(session))
    await bus.settle()


async def next_of(subscription: Subscription) -> Event:
    async with asyncio.timeout(10):
        return parse(await anext(aiter(subscription)))


Value = TypeVar("Value")


async def until(look: Callable[[], Awaitable[Value]], wanted: Callable[[Value], bool]) -> Value:
    """Look at what another thread does until it is as wanted; return what was seen."""
    async with asyncio.timeout(20):
        for pause in itertools.chain((0.0,), itertools.repeat(0.01)):
            await asyncio.sleep(pause)
            if wanted(seen := await look()):
                return seen
    raise AssertionError


EVERYTHING = Wanted()
