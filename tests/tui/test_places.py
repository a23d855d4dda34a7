import asyncio

import pytest
from textual.message import Message

from common.client import Client
from tests.tui.loopback import Loopback, connected, said, until
from tui.app import Console
from tui.places import PLACES
from tui.screens.place import PlaceScreen


def test_every_place_has_a_name_and_a_key_of_its_own() -> None:
    assert len({place.name for place in PLACES}) == len({place.key for place in PLACES})
    assert len({place.key for place in PLACES}) == len(PLACES)


@pytest.mark.parametrize("size", [(80, 24), (40, 20), (40, 10), (20, 6), (300, 60)])
async def test_every_place_is_reached_by_its_key(server: Loopback, size: tuple[int, int]) -> None:
    app = Console(server.url)
    async with app.run_test(size=size) as pilot:
        await connected(pilot, server)
        for place in (*PLACES, PLACES[0]):
            await pilot.press(place.key)
            await until(pilot, lambda name=place.name: app.screen.name == name)
            assert isinstance(app.screen, PlaceScreen)
            assert app.screen.has_class("-narrow" if size[0] < 64 else "-broad")
            assert app.screen.state is app.state


async def test_what_is_said_while_one_is_elsewhere_is_not_missed(server: Loopback) -> None:
    app = Console(server.url)
    async with app.run_test() as pilot:
        await connected(pilot, server)
        await pilot.press(PLACES[-1].key)
        server.tell(said("meanwhile"))
        await until(pilot, lambda: app.home.transcript.entries.said() == ["meanwhile"])


async def test_another_server_is_followed_from_its_beginning(server: Loopback) -> None:
    app = Console("http://127.0.0.1:9")
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.state.link.state == "waiting")
        await app.switch_server(server.url, None)
        await connected(pilot, server)
        assert "since" not in server.queries[-1]


@pytest.mark.parametrize("name", ["profiles", "sessions", "diagnostics", "servers"])
async def test_what_comes_when_a_places_widgets_are_gone_does_no_harm(
    name: str, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Message] = []
    app = Console(server.url)
    async with app.run_test() as pilot:
        await connected(pilot, server)
        post = PlaceScreen.post_message

        def keep(screen: PlaceScreen, message: Message) -> bool:
            if type(message).__module__ == type(screen).__module__:
                told.append(message)
            return post(screen, message)

        monkeypatch.setattr(PlaceScreen, "post_message", keep)
        await app.action_go(name)
        await until(pilot, lambda: told)
        await app.screen.remove_children()
        post(app.screen, told[0])
        await pilot.pause()


async def test_a_places_workers_are_broken_off_while_it_has_its_widgets(
    server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, left = asyncio.Event(), list[int]()
    app = Console(server.url)

    async def never(client: Client) -> None:
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.append(len(app.seen["models"].query("#engines")))

    monkeypatch.setattr(Client, "engines", never)
    async with app.run_test() as pilot:
        await connected(pilot, server)
        await app.action_go("models")
        await asyncio.wait_for(asked.wait(), 10)
    assert left
    assert set(left) == {1}
