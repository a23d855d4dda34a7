"""What systemd is told, at a real datagram socket."""

import asyncio
import os
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.notify import Overseer

Told = socket.socket


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as plug:
        plug.bind(str(tmp_path / "notify"))
        plug.setblocking(False)
        yield plug


def environment(told: Told, **more: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": told.getsockname(), **more}


async def next_of(told: Told) -> str:
    heard = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(told, 4096), 10)
    return heard.decode()


async def test_it_is_told_of_the_beginning_of_life_and_of_the_end(told: Told) -> None:
    overseer = Overseer(environment(told, WATCHDOG_USEC="20000", WATCHDOG_PID=str(os.getpid())))
    overseer.ready("http://127.0.0.1:8000")
    assert await next_of(told) == "READY=1\nSTATUS=listening on http://127.0.0.1:8000"
    assert [await next_of(told) for _ in range(3)] == ["WATCHDOG=1"] * 3
    overseer.leaving()
    while (last := await next_of(told)) == "WATCHDOG=1":
        pass
    assert last.startswith("STOPPING=1")


async def test_no_signs_of_life_come_from_a_loop_that_is_stuck(told: Told) -> None:
    loop = asyncio.get_running_loop()
    overseer = Overseer(environment(told, WATCHDOG_USEC="20000"))
    overseer.ready("x")
    assert "READY=1" in told.recv(4096).decode()
    assert told.recv(4096) == b"WATCHDOG=1"
    until = loop.time() + 0.1
    while loop.time() < until:
        with pytest.raises(BlockingIOError):
            told.recv(4096)


@pytest.mark.parametrize("watchdog", [{}, {"WATCHDOG_USEC": "20000", "WATCHDOG_PID": "1"}])
async def test_signs_of_life_are_for_those_who_want_them(
    told: Told, watchdog: dict[str, str]
) -> None:
    overseer = Overseer(environment(told, **watchdog))
    overseer.ready("x")
    overseer.leaving()
    assert (await next_of(told)).startswith("READY=1")
    assert (await next_of(told)).startswith("STOPPING=1")


def test_an_abstract_name_is_known() -> None:
    name = f"stt-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as plug:
        try:
            plug.bind(f"\0{name}")
        except OSError:
            pytest.skip("abstract names are Linux's")
        Overseer({"NOTIFY_SOCKET": f"@{name}"}).leaving()
        assert plug.recv(4096).startswith(b"STOPPING=1")


def test_processes_of_the_servers_own_are_not_meant(told: Told) -> None:
    mine = environment(told, WATCHDOG_USEC="1", WATCHDOG_PID="1", PATH="/bin")
    Overseer(mine)
    assert mine == {"PATH": "/bin"}


def test_a_socket_that_is_gone_is_a_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Overseer({"NOTIFY_SOCKET": str(tmp_path / "gone")}).leaving()
    assert "systemd can't be told STOPPING=1" in caplog.text


def test_nobody_is_told_where_nobody_asked(caplog: pytest.LogCaptureFixture) -> None:
    Overseer({}).leaving()
    assert not caplog.records
