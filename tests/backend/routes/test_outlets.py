"""The way through ASGI; both ways with real connections are in tests/ends/test_fanout.py."""

import asyncio
from typing import Any

import pytest

from backend.routes.outlets import Public
from backend.sockets import OUR_FAULT, RESTART, TRY_LATER, Message, Socket
from backend.subscription import Encoded

SCOPE: Message = {"query_string": b"", "headers": [], "subprotocols": []}


class Peer:
    """An ASGI ``send`` that waits when it is told to."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.takes = asyncio.Event()
        self.takes.set()
        self.fault: Exception | None = None
        self.closed = asyncio.Event()

    async def send(self, message: Message) -> None:
        if self.fault and message["type"] == "websocket.send":
            raise self.fault
        self.sent.append(message)
        if message["type"] == "websocket.close":
            self.closed.set()
        await self.takes.wait()

    async def receive(self) -> Message:
        return await asyncio.Future()

    @property
    def said(self) -> list[Any]:
        return [one.get("text", one.get("code")) for one in self.sent]


@pytest.fixture
async def peer() -> Peer:
    return Peer()


def made(peer: Peer, limit: asyncio.Timeout) -> Public:
    return Public(Socket(SCOPE, peer.receive, peer.send), limit)


async def free(outlet: Public) -> None:
    async with asyncio.timeout(5):
        while outlet.full:  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_what_need_not_wait_is_sent_without_a_task(peer: Peer) -> None:
    outlet = made(peer, asyncio.timeout(None))
    before = asyncio.all_tasks()
    outlet.take(Encoded("one"))
    outlet.take(Encoded("two"))
    assert asyncio.all_tasks() == before
    assert peer.said == ["one", "two"]


async def test_what_waits_goes_on_in_a_task_and_is_full_until_then(peer: Peer) -> None:
    async with asyncio.timeout(None) as limit:
        outlet = made(peer, limit)
        peer.takes.clear()
        assert outlet.take(Encoded("one"))
        assert not outlet.take(Encoded("not yet"))
        peer.takes.set()
        await free(outlet)
        outlet.take(Encoded("two"))
    assert peer.said == ["one", "two"]


async def test_leaving_waits_for_the_last_event(peer: Peer) -> None:
    async with asyncio.timeout(None) as limit:
        outlet = made(peer, limit)
        peer.takes.clear()
        outlet.take(Encoded("one"))
        outlet.end(too_slow=False)
        outlet.end(too_slow=False)
        peer.takes.set()
        await asyncio.wait_for(peer.closed.wait(), 5)
        assert limit.when() is not None
        await free(outlet)
    assert peer.said == ["one", RESTART]


async def test_who_is_stuck_is_told_that_it_is_too_slow(peer: Peer) -> None:
    async with asyncio.timeout(None) as limit:
        outlet = made(peer, limit)
        peer.takes.clear()
        outlet.take(Encoded("one"))
        outlet.end(too_slow=True)
        await asyncio.wait_for(peer.closed.wait(), 5)
        outlet.take(Encoded("two"))
        peer.takes.set()
        await free(outlet)
    assert peer.said == ["one", TRY_LATER]


async def test_an_event_that_cannot_be_sent_is_not_lost_in_silence(
    peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    async with asyncio.timeout(None) as limit:
        outlet = made(peer, limit)
        peer.fault = RuntimeError("broken")
        outlet.take(Encoded("one"))
        outlet.take(Encoded("two"))
        await free(outlet)
    assert peer.said == [OUR_FAULT]
    assert caplog.text.count("broken") == 1


async def test_who_has_left_meanwhile_does_no_harm(peer: Peer) -> None:
    async with asyncio.timeout(None) as limit:
        outlet = made(peer, limit)
        await asyncio.sleep(0)
    outlet.end(too_slow=False)
    await free(outlet)
    assert peer.said == [RESTART]
