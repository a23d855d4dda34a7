"""How tasks are ended that a library may keep from hearing of it."""

import asyncio
from collections.abc import Collection

PAUSE = 0.1
"""Seconds after which one that goes on is cancelled anew."""


async def end(tasks: Collection["asyncio.Task[None]"]) -> None:
    """Cancel tasks until they have ended: redis-py may swallow what comes while it connects."""
    waiting = set(tasks)
    while waiting:
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=PAUSE)
