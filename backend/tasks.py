"""How tasks end: those that a library keeps from hearing of it, and those that nobody waits for."""

import asyncio
from collections.abc import Collection
from typing import Any

PAUSE = 0.1
"""Seconds after which one that goes on is cancelled anew."""


async def end(tasks: Collection["asyncio.Task[None]"]) -> None:
    """Cancel tasks until they have ended: redis-py may swallow what comes while it connects."""
    waiting = set(tasks)
    while waiting:
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=PAUSE)


def look_at(task: "asyncio.Task[Any]") -> None:
    """Take note of a failure that nobody may wait for; to be called when the task is done."""
    if not task.cancelled():
        task.exception()
