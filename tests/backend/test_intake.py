"""An intake over a transport that is played; over a real one in tests/ends/test_streams.py."""

import asyncio

import pytest
from websockets.frames import Frame, Opcode

from backend import intake as module
from backend.intake import ENOUGH, OVERHEAD, Intake

FLUSH = '{"command":"flush"}'


class Transport(asyncio.Transport):
    """Knows its protocol, and whether it reads."""

    def __init__(self) -> None:
        super().__init__()
        self.protocol: asyncio.BaseProtocol
        self.reading = True

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Public(asyncio.Protocol):
    """The protocol whose place is taken; keeps what it is given."""

    def __init__(self) -> None:
        self.data = b""
        self.calls: list[str] = []

    def data_received(self, data: bytes) -> None:
        self.data += data

    def eof_received(self) -> bool:
        self.calls.append("eof")
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.calls.append("lost")

    def pause_writing(self) -> None:
        self.calls.append("pause")

    def resume_writing(self) -> None:
        self.calls.append("resume")


class Client:
    """Whoever sends, and the intake at the other end."""

    def __init__(self) -> None:
        self.transport, self.public = Transport(), Public()
        self.answers: list[bytes] = []
        self.kernel = b""
        self.intake = Intake(self.transport, self.public, self.answers.append)

    def arrive(self, data: bytes) -> None:
        """Have bytes come; what isn't read stays with the kernel."""
        self.kernel += data
        self.flow()

    def flow(self) -> None:
        """Have come what is read, as much at a time as there is room for."""
        while self.kernel and self.transport.reading:
            room = self.intake.get_buffer(-1)
            part, self.kernel = self.kernel[: len(room)], self.kernel[len(room) :]
            room[: len(part)] = part
            if self.given_back:
                self.public.data_received(part)
            else:
                self.intake.buffer_updated(len(part))

    async def read(self, count: int) -> list[str | bytes | None]:
        """Return so many messages."""
        messages = []
        for _ in range(count):
            messages.append(await self.intake.next())
            self.flow()
        return messages

    def say(self, *messages: str | bytes) -> None:
        self.arrive(b"".join(framed(one) for one in messages))

    @property
    def given_back(self) -> bool:
        return self.transport.protocol is self.public


def framed(message: str | bytes) -> bytes:
    if isinstance(message, str):
        return Frame(Opcode.TEXT, message.encode()).serialize(mask=True)
    return Frame(Opcode.BINARY, message).serialize(mask=True)


@pytest.fixture
async def client() -> Client:
    return Client()


async def waiting(client: Client, took: list[bytes], room: int = 1 << 30) -> "asyncio.Task[object]":
    """Have somebody wait who takes sound as long as there is room for it."""

    def take(sound: bytes) -> bool:
        if sum(map(len, took)) + len(sound) > room:
            return False
        took.append(sound)
        return True

    task = asyncio.create_task(client.intake.next(take))
    await asyncio.sleep(0)
    return task


async def test_messages_wait_in_order_for_who_asks(client: Client) -> None:
    client.say(b"one", "two", b"three")
    assert [await client.intake.next() for _ in range(3)] == [b"one", "two", b"three"]


async def test_bytes_cut_anywhere_are_the_same_messages(client: Client) -> None:
    data = framed(b"sound" * 100) + framed(FLUSH)
    for at in range(len(data)):
        client.arrive(data[at : at + 1])
    assert [await client.intake.next() for _ in range(2)] == [b"sound" * 100, FLUSH]


async def test_sound_is_taken_as_it_comes_and_a_command_is_returned(client: Client) -> None:
    took: list[bytes] = []
    next_one = await waiting(client, took)
    client.say(b"a", b"b")
    client.say(b"c", FLUSH)
    assert took == [b"a", b"b", b"c"]
    assert await next_one == FLUSH


async def test_sound_does_not_overtake_a_command(client: Client) -> None:
    took: list[bytes] = []
    next_one = await waiting(client, took)
    client.say(FLUSH, b"after")
    client.say(b"later")
    assert await next_one == FLUSH
    client.say(b"last")
    assert took == []
    assert [await client.intake.next() for _ in range(3)] == [b"after", b"later", b"last"]


async def test_what_finds_no_room_is_returned_and_what_follows_waits(client: Client) -> None:
    took: list[bytes] = []
    next_one = await waiting(client, took, room=2)
    client.say(b"aa", b"bb", b"")
    assert took == [b"aa"]
    assert await next_one == b"bb"
    assert await client.intake.next() == b""


async def test_who_stops_waiting_loses_nothing(client: Client) -> None:
    took: list[bytes] = []
    next_one = await waiting(client, took)
    next_one.cancel()
    client.say(FLUSH)
    await asyncio.gather(next_one, return_exceptions=True)
    client.say(b"sound")
    assert took == []
    assert [await client.intake.next() for _ in range(2)] == [FLUSH, b"sound"]


@pytest.mark.parametrize("size", [0, 1000, 60_000])
async def test_a_client_waits_for_who_does_not_read(client: Client, size: int) -> None:
    flood = framed(bytes(size))
    sent = 0
    while client.transport.reading:
        many = flood * max(1, 60_000 // len(flood))
        client.arrive(many)
        sent += len(many) // len(flood)
    kept = len(client.intake._messages) * (size + OVERHEAD) + len(client.intake._rest)
    assert kept < 5 * ENOUGH
    assert await client.read(sent) == [bytes(size)] * sent
    assert client.transport.reading
    assert client.kernel == b""


async def test_a_ping_is_answered(client: Client) -> None:
    client.arrive(Frame(Opcode.PING, b"there?").serialize(mask=True))
    client.arrive(Frame(Opcode.PONG, b"here").serialize(mask=True))
    assert client.answers == [Frame(Opcode.PONG, b"there?").serialize(mask=False)]
    client.say("on we go")
    assert await client.intake.next() == "on we go"


@pytest.mark.parametrize(
    "strange",
    [
        Frame(Opcode.BINARY, b"in parts", fin=False).serialize(mask=True),
        Frame(Opcode.CLOSE, b"\x03\xe8").serialize(mask=True),
        Frame(Opcode.TEXT, b"\xff\xff").serialize(mask=True),
        Frame(Opcode.BINARY, bytes(1 << 17)).serialize(mask=True),
    ],
    ids=["a part", "a close", "no text", "too long"],
)
async def test_what_is_not_plain_goes_the_public_way_with_all_that_follows(
    client: Client, strange: bytes
) -> None:
    took: list[bytes] = []
    next_one = await waiting(client, took)
    data = strange + framed(b"after")
    client.say(b"before")
    client.arrive(data)
    assert client.given_back
    assert (took, client.public.data) == ([b"before"], data)
    assert await next_one is None
    assert await client.intake.next() is None


async def test_what_came_before_is_read_before_the_public_way(client: Client) -> None:
    client.say("one", "two")
    client.arrive(b"\x88\x80\0\0\0\0")
    assert [await client.intake.next() for _ in range(3)] == ["one", "two", None]


async def test_what_is_not_plain_is_seen_behind_what_waited_too(client: Client) -> None:
    close = b"\x88\x80\0\0\0\0"
    data = framed(b"") * 9000 + close
    client.arrive(data)
    assert not client.transport.reading
    assert not client.given_back
    assert await client.read(9000) == [b""] * 9000
    assert client.given_back
    assert client.transport.reading
    assert client.public.data == close
    assert await client.intake.next() is None


@pytest.mark.parametrize("end", ["eof", "lost"])
async def test_the_end_and_a_cut_frame_before_it_go_the_public_way(
    client: Client, end: str
) -> None:
    took: list[bytes] = []
    next_one = await waiting(client, took)
    client.arrive(framed(b"whole") + framed(b"cut off")[:-1])
    if end == "eof":
        assert client.intake.eof_received() is True
    else:
        client.intake.connection_lost(None)
    assert took == [b"whole"]
    assert client.public.calls == [end]
    assert len(client.public.data) == len(framed(b"cut off")) - 1
    assert await next_one is None


async def test_that_the_client_takes_less_is_told_to_who_writes(client: Client) -> None:
    client.intake.pause_writing()
    client.intake.resume_writing()
    assert client.public.calls == ["pause", "resume"]


async def test_it_is_known_whether_anything_came(client: Client) -> None:
    client.intake.stirred()
    assert not client.intake.stirred()
    client.say(b"sound")
    assert client.intake.stirred()
    assert not client.intake.stirred()


async def test_what_we_do_not_read_is_no_silence_of_the_clients(client: Client) -> None:
    while client.transport.reading:
        client.say(bytes(1024))
    assert client.intake.stirred()
    assert client.intake.stirred()


async def test_clients_share_the_buffer_and_not_what_they_said() -> None:
    one, other = Client(), Client()
    assert one.intake.get_buffer(-1) is other.intake.get_buffer(-1) is module._buffer
    cut = framed(b"one's own")
    one.arrive(cut[:9])
    other.say(b"the other's")
    one.arrive(cut[9:])
    assert await one.intake.next() == b"one's own"
    assert await other.intake.next() == b"the other's"
