"""Plain frames: what a client's wsproto or websockets makes is what is read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, Message, Ping, TextMessage

from backend.frames import BINARY, LONGEST, PING, PONG, TEXT, NotPlain, first

MASK = b"\x01\x02\x03\x04"


def sent(event: Message | Ping) -> bytes:
    return Connection(ConnectionType.CLIENT).send(event)


def masked(opcode: Opcode, content: bytes, *, fin: bool = True) -> bytes:
    return Frame(opcode, content, fin=fin).serialize(mask=True)


@given(content=st.binary(max_size=300), before=st.binary(max_size=5), after=st.binary(max_size=5))
def test_a_message_is_read_wherever_it_lies(content: bytes, before: bytes, after: bytes) -> None:
    frame = sent(BytesMessage(data=content))
    data = before + frame + after
    assert first(data, len(before)) == (BINARY, content, len(before) + len(frame))


@pytest.mark.parametrize("length", [0, 1, 125, 126, 1024, LONGEST])
def test_messages_of_every_kind_of_length_are_read(length: int) -> None:
    text = "x" * length
    found = first(sent(TextMessage(data=text)))
    assert found is not None
    assert found[:2] == (TEXT, text.encode())


def test_pings_and_pongs_are_read() -> None:
    assert first(sent(Ping(payload=b"there?"))) == (PING, b"there?", 12)
    assert first(masked(Opcode.PONG, b"here")) == (PONG, b"here", 10)


@pytest.mark.parametrize("length", [0, 5, 125, 126, 1000])
def test_a_frame_that_is_not_all_there_is_waited_for(length: int) -> None:
    frame = sent(BytesMessage(data=bytes(length)))
    assert all(first(frame[:cut]) is None for cut in range(len(frame)))


@pytest.mark.parametrize(
    "frame",
    [
        masked(Opcode.BINARY, b"the first part", fin=False),
        masked(Opcode.CONT, b"the last part"),
        masked(Opcode.CLOSE, b"\x03\xe8"),
        b"\xc2\x81" + MASK + b"x",
        masked(Opcode.BINARY, bytes(LONGEST + 1))[:10],
        Frame(Opcode.BINARY, b"not masked").serialize(mask=False),
        b"\x83\x80" + MASK,
        b"\x89\xfe\x00\x7e" + MASK + bytes(126),
        b"\x82\xfe\x00\x05" + MASK + bytes(5),
    ],
    ids=[
        "a part",
        "a continuation",
        "a close",
        "compressed",
        "too long",
        "not masked",
        "no known opcode",
        "a ping too long",
        "a length of two bytes that fits into one",
    ],
)
def test_what_is_not_plain_is_left_to_others_as_soon_as_that_is_known(frame: bytes) -> None:
    with pytest.raises(NotPlain):
        first(frame)
    with pytest.raises(NotPlain):
        first(frame[:4])


def test_nothing_is_known_of_no_bytes() -> None:
    assert first(b"") is None
    assert first(b"\x82") is None
