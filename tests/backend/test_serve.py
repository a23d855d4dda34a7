"""Listening, and leaving in the right order; the whole with signals is in tests/ends."""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Iterator

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from backend import serve as module
from backend.serve import PortTaken, listen, serve
from backend.settings import Settings

ANY = Settings(port=0)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    made = listen(ANY)
    yield made
    made.close()


def test_every_connection_has_a_small_buffer_and_finds_out_about_dead_peers(
    listener: socket.socket,
) -> None:
    with socket.create_connection(listener.getsockname()), listener.accept()[0] as accepted:
        # Linux tells twice of what it was asked for.
        size = accepted.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        assert size <= 2 * module.UNSENT
        assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            limit = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
            assert limit == module.UNHEARD


def test_a_taken_port_is_told_with_a_way_on(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    with pytest.raises(PortTaken, match=f"{port}.*another port with STT_SERVER_PORT"):
        listen(Settings(port=port))


@pytest.mark.parametrize("host", ["no.such.host.invalid", "203.0.113.1"])
def test_an_address_that_is_not_ours_is_told(host: str) -> None:
    with pytest.raises(PortTaken, match=f"{host}.*STT_SERVER_HOST"):
        listen(Settings(host=host, port=0, insecure=True))


def test_ipv6_is_listened_on() -> None:
    try:
        made = listen(Settings(host="::1", port=0))
    except PortTaken:
        pytest.skip("no IPv6 on this machine")
    assert made.family == socket.AF_INET6
    made.close()


@pytest.fixture
def no_last_resort(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What would end the tests' own process only notes when."""
    asked: list[float] = []
    monkeypatch.setattr(module, "_end_soon", asked.append)
    return asked


async def test_a_signal_tells_every_client_and_ends(no_last_resort: list[float]) -> None:
    made = listen(ANY)
    port = made.getsockname()[1]
    serving = asyncio.create_task(serve(ANY, made))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        assert (await http.get("/health")).status_code == 200
    async with connect(f"ws://127.0.0.1:{port}/api/v1/ws", proxy=None) as client:
        await client.recv()
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(ConnectionClosed) as caught:
            await client.recv()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1012
    await asyncio.wait_for(serving, 20)
    # First with time for speech in progress, then without.
    assert no_last_resort == [ANY.leave_seconds + module.PATIENCE, module.PATIENCE]


async def test_a_token_that_nobody_is_asked_for_is_warned_of(
    no_last_resort: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(port=0, auth_token="s3cret")
    made = listen(settings)
    serving = asyncio.create_task(serve(settings, made))
    port = made.getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        await http.get("/health")
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(serving, 20)
    assert "STT_SERVER_AUTH_ENABLED isn't" in caplog.text
    assert "s3cret" not in caplog.text


async def test_what_cannot_be_started_by_itself_is_told_and_the_server_serves(
    no_last_resort: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(port=0, auto_start=True, default_profile="nothing")
    made = listen(settings)
    serving = asyncio.create_task(serve(settings, made))
    port = made.getsockname()[1]
    with caplog.at_level(logging.INFO):
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            assert (await http.get("/api/v1/system/status")).json()["running"] is False
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(serving, 20)
    assert "not listening: Profile not found" in caplog.text
