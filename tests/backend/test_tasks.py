"""Ending tasks, also one that doesn't hear of it the first time."""

import asyncio

from backend.tasks import end


async def test_a_task_that_swallows_a_cancellation_is_cancelled_again() -> None:
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while swallowed < 2:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                swallowed += 1
        await asyncio.Event().wait()

    tasks = [asyncio.create_task(stubborn())]
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await end(tasks)
    assert swallowed == 2
    assert all(task.cancelled() for task in tasks)
    await end([])
