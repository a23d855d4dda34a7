import asyncio
import threading

import pytest

from backend.hearing.outbox import Outbox


async def test_what_is_posted_comes_in_order_and_wakes_the_loop_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = asyncio.get_running_loop()
    woken, came, done = [], [], asyncio.Event()
    real = loop.call_soon_threadsafe
    monkeypatch.setattr(loop, "call_soon_threadsafe", lambda *a: woken.append(1) or real(*a))
    outbox = Outbox(loop)

    def post() -> None:
        for number in range(100):
            outbox.post(came.append, number)
        outbox.post(done.set)

    thread = threading.Thread(target=post)
    thread.start()
    thread.join()  # The loop has no turn meanwhile.
    assert came == []
    await asyncio.wait_for(done.wait(), 5)
    assert came == list(range(100))
    assert len(woken) == 1


async def test_what_is_posted_while_others_are_told_is_told_too() -> None:
    outbox, came, done = Outbox(asyncio.get_running_loop()), [], asyncio.Event()

    def tell(number: int) -> None:
        came.append(number)
        if number < 5:
            outbox.post(tell, number + 1)
        else:
            done.set()

    outbox.post(tell, 0)
    await asyncio.wait_for(done.wait(), 5)
    assert came == [0, 1, 2, 3, 4, 5]


async def test_one_that_fails_does_not_hold_up_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    outbox, done = Outbox(asyncio.get_running_loop()), asyncio.Event()

    def fail() -> None:
        raise ValueError("broken")

    outbox.post(fail)
    outbox.post(done.set)
    await asyncio.wait_for(done.wait(), 5)
    assert "broken" in caplog.text


async def test_that_the_loop_is_closed_is_told_each_time() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    outbox = Outbox(loop)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="closed"):
            outbox.post(print)
