"""An audience over real sockets; with Hypercorn's in tests/ends/test_fanout.py."""

import socket
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from backend.audience import Audience
from backend.subscription import Dropped, Encoded, Several, Subscription, Told, Wanted
from common.events import Error, encode

NUMBERS = count(1)


class Plug:
    """An outlet to one end of a pair of sockets; `asked` is what it was asked to take."""

    def __init__(self) -> None:
        self.near, self.far = socket.socketpair()
        self.near.setblocking(False)
        self.far.setblocking(False)
        self.asked = 0
        self.rest: list[bytes] = []
        self.takes = True
        self.stirred: Callable[[], None]

    def read(self) -> bytes:
        try:
            return self.far.recv(1 << 20)
        except BlockingIOError:
            return b""

    def take(self, encoded: Encoded) -> bool:
        self.asked += 1
        return self.takes and self.near.send(encoded.frame) > 0

    def take_several(self, several: Several) -> bool:
        self.asked += 1
        return self.takes and self.near.send(several.frame) > 0

    def send(self) -> Callable[[bytes], int] | None:
        return self.near.send

    def finish(self, rest: bytes) -> None:
        self.rest.append(rest)

    def watch(self, stirred: Callable[[], None]) -> None:
        self.stirred = stirred

    def end(self, *, too_slow: bool) -> None:
        pass

    def close(self) -> None:
        self.near.close()
        self.far.close()


@pytest.fixture
def plugs() -> Iterator[tuple[Plug, Plug]]:
    pair = Plug(), Plug()
    yield pair
    for plug in pair:
        plug.close()


@pytest.fixture
def behind() -> list[Subscription]:
    return []


@pytest.fixture
def audience(behind: list[Subscription]) -> Audience:
    return Audience(behind.append)


def joined(audience: Audience, plug: Plug, wanted: Wanted = Wanted()) -> Subscription:  # noqa: B008
    subscription = Subscription(wanted, Dropped())
    audience.add(subscription)
    subscription.attach(plug)
    return subscription


def told(text: str) -> Told:
    event = Error(error="error", details=text, seq=next(NUMBERS))
    return event, Encoded(encode(event))


def tell(audience: Audience, *texts: str) -> bytes:
    """Tell events together; return their frames."""
    events = [told(text) for text in texts]
    audience.tell(events)
    return b"".join(encoded.frame for _, encoded in events)


async def test_who_took_one_is_not_asked_for_the_next(
    audience: Audience, plugs: tuple[Plug, Plug]
) -> None:
    for plug in plugs:
        joined(audience, plug)
    sent = tell(audience, "a") + tell(audience, "b") + tell(audience, "c", "d")
    assert [(plug.asked, plug.read()) for plug in plugs] == [(1, sent)] * 2
    assert len(audience) == 2


async def test_a_full_socket_is_sent_the_rest_later_and_asked_again(
    audience: Audience, plugs: tuple[Plug, Plug]
) -> None:
    full, free = plugs
    for plug in plugs:
        joined(audience, plug)
    tell(audience, "a")
    plugs[1].read()
    long = "x" * 100_000
    sent = got = b""
    while not full.rest:
        sent += tell(audience, long)
        got += free.read()
    assert got == sent
    whole = full.read()
    while more := full.read():
        whole += more
    assert (whole + full.rest[0]).endswith(sent)
    tell(audience, "b")
    assert (full.asked, free.asked) == (2, 1)


async def test_a_socket_that_is_closed_is_its_transports_concern_and_nobody_elses(
    audience: Audience, plugs: tuple[Plug, Plug]
) -> None:
    for plug in plugs:
        joined(audience, plug)
    tell(audience, "a")
    gone, here = plugs
    here.read()
    gone.near.close()
    sent = tell(audience, "b")
    assert (gone.rest, here.read()) == ([sent], sent)


async def test_who_was_stirred_is_asked_once(audience: Audience, plugs: tuple[Plug, Plug]) -> None:
    joined(audience, plugs[0])
    tell(audience, "a")
    plugs[0].stirred()
    tell(audience, "b")
    tell(audience, "c")
    assert plugs[0].asked == 2


async def test_who_wants_less_now_is_told_no_more_than_that(
    audience: Audience, plugs: tuple[Plug, Plug]
) -> None:
    subscription = joined(audience, plugs[0])
    sent = tell(audience, "a")
    subscription.wanted = Wanted(frozenset({"level"}))
    tell(audience, "b")
    subscription.wanted = Wanted()
    sent += tell(audience, "c") + tell(audience, "d")
    assert (plugs[0].asked, plugs[0].read()) == (2, sent)


async def test_nothing_passes_what_waits(
    audience: Audience, plugs: tuple[Plug, Plug], behind: list[Subscription]
) -> None:
    subscription = joined(audience, plugs[0])
    sent = tell(audience, "a")
    plugs[0].stirred()
    plugs[0].takes = False
    sent += tell(audience, "b") + tell(audience, "c")
    plugs[0].takes = True
    sent += tell(audience, "d")
    assert set(behind) == {subscription}
    assert not subscription.pump(0)
    sent += tell(audience, "e")
    assert plugs[0].read() == sent


async def test_who_is_told_the_end_is_told_nothing_after_it(
    audience: Audience, plugs: tuple[Plug, Plug]
) -> None:
    subscription = joined(audience, plugs[0])
    sent = tell(audience, "a")
    subscription.close()
    tell(audience, "b")
    assert plugs[0].read() == sent


async def test_who_left_is_told_nothing(audience: Audience, plugs: tuple[Plug, Plug]) -> None:
    subscription = joined(audience, plugs[0])
    sent = tell(audience, "a")
    audience.discard(subscription)
    tell(audience, "b")
    assert (plugs[0].read(), len(audience)) == (sent, 0)
