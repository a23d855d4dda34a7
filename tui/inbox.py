"""What the server told and was not yet shown. Words are never lost, readings may be."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from common.events import Event

BOUND = 4096
"""Events from which the one who puts them in waits; the server then sees a slow reader."""


class Inbox:
    """Takes events one at a time and gives them by the heap, in order.

    A level takes the place of an older one of its session, whatever is newer of an utterance
    that of a partial.
    """

    def __init__(self) -> None:
        self._waiting: dict[Hashable, Event] = {}
        self._count = 0
        self._room = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    async def put(self, event: Event) -> None:
        """Take an event in; waits while there are too many."""
        from common.events import Level, Transcription

        while len(self._waiting) >= BOUND:
            self._room.clear()
            await self._room.wait()
        match event:
            case Level(session_id=session):
                key: Hashable = session
                self._waiting.pop(key, None)
            case Transcription(session_id=session, utterance_id=utterance):
                key = (session, utterance)
                old = self._waiting.get(key)
                if isinstance(old, Transcription) and old.is_final:
                    key = self._count
                else:
                    self._waiting.pop(key, None)
            case _:
                key = self._count
        self._count += 1
        self._waiting[key] = event

    def take(self) -> list[Event]:
        """Return what waits, oldest first, and forget it."""
        events = list(self._waiting.values())
        self._waiting.clear()
        self._room.set()
        return events
