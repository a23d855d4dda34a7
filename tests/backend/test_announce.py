"""Announced on this machine's own network, found there, and withdrawn."""

import asyncio

import pytest

from backend.announce import Announcement, addresses, properties, wanted
from backend.settings import Settings
from common import VERSION
from common.nearby import Lookout, Nearby
from tests.running import running

HERE = ["127.0.0.1"]
OPEN = Settings(host="0.0.0.0", insecure=True)


def test_only_a_server_beyond_loopback_is_announced() -> None:
    assert wanted(OPEN)
    assert not wanted(Settings())
    assert not wanted(Settings(host="localhost"))
    assert not wanted(Settings(host="0.0.0.0", insecure=True, announce=False))


def test_nothing_secret_is_told() -> None:
    settings = Settings(host="0.0.0.0", auth_enabled=True, auth_token="sesame")
    assert properties(settings) == {"version": VERSION, "path": "/", "auth": "1"}
    assert properties(OPEN)["auth"] == "0"


def test_loopback_is_no_address_for_others() -> None:
    assert not {"127.0.0.1", "::1"} & set(addresses("::"))
    assert all(":" not in one for one in addresses("0.0.0.0"))
    assert addresses("192.0.2.7") == ["192.0.2.7"]


async def test_it_is_found_while_it_lives_and_no_longer() -> None:
    seen: asyncio.Queue[list[Nearby]] = asyncio.Queue()
    lookout = Lookout(seen.put_nowait, interfaces=HERE)
    await lookout.begin()
    settings = Settings(host="127.0.0.1", auth_enabled=True, auth_token="sesame")
    announcement = Announcement(settings, 8123, interfaces=HERE)
    announcement.begin()
    try:
        async with asyncio.timeout(20):
            (found,) = await seen.get()
            await announcement.done()
            assert found.url == "http://127.0.0.1:8123"
            assert (found.version, found.wants_token) == (VERSION, True)
            assert "sesame" not in repr(found)
            await announcement.end()
            while await seen.get():
                pass
    finally:
        await announcement.end()
        await lookout.end()


async def test_a_network_that_refuses_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(**how: object) -> None:
        raise OSError("no multicast here")

    monkeypatch.setattr("zeroconf.asyncio.AsyncZeroconf", refuse)
    announcement = Announcement(OPEN, 8123)
    announcement.begin()
    await announcement.done()
    await announcement.end()
    assert "no multicast here" in caplog.text


async def test_leaving_while_it_is_being_announced_does_not_wait() -> None:
    announcement = Announcement(OPEN, 8123, interfaces=HERE)
    announcement.begin()
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await announcement.end()


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_server_tells_in_its_log_that_it_is_announced(host: str) -> None:
    with running("--host", host, "--insecure") as server:
        if host == "0.0.0.0":
            server.wait_until_it_says("announced on the local network")
        assert server.stop() == 0
    assert ("announced on the local network" in server.log) is (host == "0.0.0.0")
    assert "Traceback" not in server.log
