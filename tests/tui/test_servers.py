"""The place of the servers: those that are known, those of the network, and every key."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from common.nearby import Nearby
from common.stream import Link
from tests.tui.loopback import Loopback, connected, said, until
from tests.tui.real import answer, gone, on, seen
from tui import servers
from tui.app import Console
from tui.screens.ask import AskText
from tui.screens.confirm import Confirm
from tui.screens.servers import ServersScreen, bad_token, described, entries
from tui.servers import Known
from tui.state import State

NEAR = Nearby("vm [/]", "http://192.0.2.7:8000", "0.1.0", wants_token=True)


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at no network: what it would tell is posted by the tests."""

    async def begin(self: object) -> None:
        return None

    monkeypatch.setattr("common.nearby.Lookout.begin", begin)


@pytest.fixture
async def other() -> AsyncIterator[Loopback]:
    made = Loopback()
    made.token = "sesame"
    await made.open()
    yield made
    await made.close()


def test_each_address_stands_once_and_remembered_ones_first() -> None:
    known = Known("a", "http://a:1")
    near = [NEAR, Nearby("a", "http://a:1", "", wants_token=False)]
    listed = entries([known], near, ["http://b:1", "http://a:1"])
    assert [one.url for one in listed] == ["http://a:1", "http://b:1", NEAR.url]
    assert [one.name for one in listed] == ["a", "http://b:1", "vm [/]"]
    assert listed[0].near


def test_an_entry_tells_where_one_is_and_what_is_wanted() -> None:
    state = State(url=NEAR.url, link=Link("up"))
    (near,) = entries([], [NEAR], [])
    assert described(near, state).plain.startswith("● vm [/]")
    assert "you are here" in described(near, state).plain
    assert "wants a token" in described(near, State()).plain
    (kept,) = entries([Known("a", NEAR.url, "keyring")], [NEAR], [])
    assert "token in the keyring" in described(kept, State()).plain
    assert "wants" not in described(kept, State()).plain


async def test_one_is_remembered_gone_to_and_come_back_from(
    server: Loopback, other: Loopback, own_folder: Path
) -> None:
    app = Console(server.url)
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await connected(pilot, server)
        server.tell(said("of the first"))
        await until(pilot, lambda: app.home.transcript.entries.said() == ["of the first"])
        await pilot.press("6")
        await seen(pilot, server.url, "you are here")
        await pilot.press("a")
        await on(pilot, AskText)
        await pilot.press("enter")
        await seen(pilot, "Name")
        await answer(pilot, "First")
        await seen(pilot, "Token of First")
        await pilot.press("enter")
        await seen(pilot, "First http://")
        await pilot.press("a")
        await on(pilot, AskText)
        await answer(pilot, "nonsense")
        await seen(pilot, "not a server's address")
        await answer(pilot, other.url)
        await seen(pilot, "Name")
        await answer(pilot, "Second")
        await seen(pilot, "Token of Second")
        await answer(pilot, "sesame")
        await seen(pilot, "token in a file")
        assert [one.token for one in servers.load(own_folder)] == [None, "sesame"]

        await pilot.press("end", "enter")
        await until(pilot, lambda: app.state.url == other.url and app.state.connected)
        assert app.home.transcript.entries.said() == []
        other.tell(said("of the second"))
        await until(pilot, lambda: app.home.transcript.entries.said() == ["of the second"])

        server.tell(said("meanwhile", "u2"))
        await pilot.press("home", "enter")
        await until(pilot, lambda: app.state.url == server.url and app.state.connected)
        first = ["of the first", "meanwhile"]
        await until(pilot, lambda: app.home.transcript.entries.said() == first)
        await pilot.press("end", "enter")
        await until(pilot, lambda: app.state.url == other.url and app.state.connected)
        assert app.home.transcript.entries.said() == ["of the second"]


async def test_a_server_of_the_network_is_asked_for_its_token_first(
    server: Loopback, other: Loopback, own_folder: Path
) -> None:
    app = Console(server.url)
    async with app.run_test(size=(100, 30)) as pilot:
        await connected(pilot, server)
        await pilot.press("6")
        await on(pilot, ServersScreen)
        near = Nearby("vm", other.url, "0.1.0", wants_token=True)
        app.screen.post_message(ServersScreen.Seen([near]))
        await seen(pilot, "on this network, version 0.1.0 · wants a token")
        await pilot.press("end", "enter")
        await seen(pilot, "Token of vm")
        await pilot.press("escape")
        await on(pilot, ServersScreen)
        assert app.state.url == server.url
        await pilot.press("enter")
        await seen(pilot, "Token of vm")
        await answer(pilot, "sesame")
        await until(pilot, lambda: app.state.url == other.url and app.state.connected)
        assert servers.load(own_folder) == [Known("vm", other.url, "file", "sesame")]


async def test_a_remembered_token_is_used_from_the_start(other: Loopback, own_folder: Path) -> None:
    servers.save(own_folder, [Known("Second", other.url, "file", "sesame")])
    app = Console(other.url)
    async with app.run_test() as pilot:
        await connected(pilot, other)


async def test_a_token_is_set_a_name_changed_and_both_forgotten(
    other: Loopback, own_folder: Path
) -> None:
    app = Console(other.url)
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await until(pilot, lambda: bool(app.state.refusal))
        await pilot.press("6")
        await seen(pilot, "a remembers it")
        for key in ("m", "x"):
            await pilot.press(key)
        await seen(pilot, "Only what is remembered", "isn't remembered")
        await pilot.press("t")
        await on(pilot, AskText)
        await answer(pilot, "sesame")
        await connected(pilot, other)
        await seen(pilot, "token in a file")
        await pilot.press("m")
        await on(pilot, AskText)
        await answer(pilot, "Studio")
        await seen(pilot, "Studio http://")
        await pilot.press("x")
        await on(pilot, Confirm)
        await pilot.press("n")
        await on(pilot, ServersScreen)
        await pilot.press("delete")
        await on(pilot, Confirm)
        await pilot.press("y")
        await gone(pilot, "Studio")
        assert servers.load(own_folder) == []


async def test_a_damaged_list_is_told_and_kept(server: Loopback, own_folder: Path) -> None:
    own_folder.parent.mkdir()
    own_folder.write_text("{")
    app = Console(server.url)
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await connected(pilot, server)
        await pilot.press("6")
        await seen(pilot, "can't be read")
        assert own_folder.read_text() == "{"


async def test_going_elsewhere_asks_while_this_console_sends(
    server: Loopback, other: Loopback, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers.save(own_folder, [Known("Second", other.url, "file", "sesame")])
    monkeypatch.setattr("tui.screens.listen.ListenScreen.busy", "It sends [/].", raising=False)
    app = Console(server.url)
    async with app.run_test(size=(100, 30)) as pilot:
        await connected(pilot, server)
        await pilot.press("6")
        await seen(pilot, "Second")
        await pilot.press("home", "enter")
        await on(pilot, Confirm)
        await seen(pilot, "It sends [/].")
        await pilot.press("n")
        await on(pilot, ServersScreen)
        assert app.state.url == server.url
        monkeypatch.undo()


def test_a_token_is_printable_ascii() -> None:
    assert not bad_token("abc-123")
    assert bad_token("é")
    assert bad_token("a\x1bb")
