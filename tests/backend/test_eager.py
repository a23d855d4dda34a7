"""Coroutines that are driven without a task."""

import asyncio

import pytest

from backend.eager import begun


async def test_a_coroutine_begun_ends_as_it_would_have_in_a_task() -> None:
    caught = []

    async def wait(gate: asyncio.Event) -> None:
        try:
            await gate.wait()
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            caught.append("cancelled")
            raise

    gate = asyncio.Event()
    gate.set()
    rest = begun(wait(gate))
    assert rest is not None
    await rest
    gate.clear()
    rest = begun(wait(gate))
    assert rest is not None
    task = asyncio.create_task(rest)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert caught == ["cancelled"]
