"""Addresses that can be had, and those that can't."""

import errno
import socket
from collections.abc import Iterator

import pytest

from backend.address import is_ours, taken


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening


def test_one_that_is_listened_on_is_taken_and_free_afterwards(listener: socket.socket) -> None:
    port: int = listener.getsockname()[1]
    assert taken("127.0.0.1", port) == errno.EADDRINUSE
    listener.close()
    assert taken("127.0.0.1", port) is None


def test_one_of_another_machine_can_not_be_had() -> None:
    assert taken("192.0.2.1", 0) == errno.EADDRNOTAVAIL


def test_what_does_not_speak_http_is_none_of_ours() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert not is_ours("127.0.0.1", closed.getsockname()[1])
