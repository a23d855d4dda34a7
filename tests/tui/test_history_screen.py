"""The history screen, on a real server's history."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypercorn.asyncio import serve
from hypercorn.config import Config
from textual.pilot import Pilot

from backend.app import create_app
from backend.history import search
from backend.parts import Parts
from backend.settings import Settings
from common.history import HistoryPageQuery
from tests.backend.history.made import final, say
from tests.backend.history.made import until as seen
from tests.tui.loopback import connected, screen_text, until
from tui.app import Console
from tui.screens.confirm import Confirm
from tui.screens.export import ExportScreen
from tui.screens.history import HistoryScreen
from tui.screens.pick import Pick


class Server:
    """A real server's app, and what it is made of."""

    def __init__(self, url: str, parts: Parts) -> None:
        self.url = url
        self.parts = parts

    async def texts(self) -> list[str]:
        page = await self.parts.history.read(search.find, HistoryPageQuery(limit=1000))
        return [said.text for said in page.utterances]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    listener = socket.create_server(("127.0.0.1", 0))
    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.graceful_timeout = 0.2
    config.errorlog = None
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    app = create_app(Settings(data_dir=tmp_path, max_requests=0))
    asked = asyncio.Event()

    async def leave() -> None:
        await asked.wait()
        parts: Parts = app.extensions["stt"]
        parts.bus.close()
        await parts.bus.wait_until_empty(2)

    listener.detach()
    serving = asyncio.create_task(serve(app, config, shutdown_trigger=leave))

    async def there() -> bool:
        return "stt" in app.extensions

    await seen(there, bool)
    yield Server(url, app.extensions["stt"])
    asked.set()
    await serving


@asynccontextmanager
async def shown(server: Server) -> AsyncIterator[tuple[Console, HistoryScreen, "Pilot[None]"]]:
    app = Console(server.url)
    async with app.run_test(size=(90, 24)) as pilot:
        await connected(pilot, server)  # type: ignore[arg-type]
        await pilot.press("7")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen))
        screen = app.screen
        assert isinstance(screen, HistoryScreen)
        yield app, screen, pilot


def rows(screen: HistoryScreen) -> list[str]:
    return [said.text for said in screen.found]


async def test_what_was_said_is_listed_searched_and_comes_as_one_goes_down(server: Server) -> None:
    await say(server.parts.bus, *(f"number {number}" for number in range(250)))
    async with shown(server) as (_, screen, pilot):
        await until(pilot, lambda: len(screen.found) == 100)
        assert rows(screen)[0] == "number 249"
        await pilot.press("end")
        await until(pilot, lambda: len(screen.found) == 200)
        await pilot.press("end")
        await until(pilot, lambda: len(screen.found) == 250)
        await pilot.press("slash", *"24", "enter")
        await until(pilot, lambda: len(rows(screen)) == 11)
        await pilot.press("slash", *"x")
        await until(pilot, lambda: "Nothing like that" in screen_text(pilot.app))


async def test_what_is_said_meanwhile_shows_up(server: Server) -> None:
    async with shown(server) as (_, screen, pilot):
        await until(pilot, lambda: "Nothing was said yet" in screen_text(pilot.app))
        server.parts.bus.publish(final("[b]hello[/b]"))
        await until(pilot, lambda: rows(screen) == ["[b]hello[/b]"])
        assert "[b]hello[/b]" in screen_text(pilot.app)


async def test_deleting_asks_first(server: Server) -> None:
    await say(server.parts.bus, "one", "two", session="a")
    await say(server.parts.bus, "three", session="b")
    async with shown(server) as (app, screen, pilot):
        await until(pilot, lambda: len(screen.found) == 3)
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, Pick))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)
        assert len(await server.texts()) == 3
        await pilot.press("x", "enter")
        await until(pilot, lambda: rows(screen) == ["two", "one"])
        await pilot.press("x", "down", "down", "enter")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is screen)
        assert await server.texts() == ["two", "one"]
        await pilot.press("x", "down", "enter")
        await until(pilot, lambda: rows(screen) == [])
        assert await server.texts() == []


async def test_what_was_found_is_written_to_a_file(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    await say(server.parts.bus, "turn on the lights", "good night")
    async with shown(server) as (app, screen, pilot):
        await until(pilot, lambda: len(screen.found) == 2)
        await pilot.press("slash", *"lights", "enter")
        await until(pilot, lambda: len(screen.found) == 1)
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, ExportScreen))
        await pilot.press("enter")
        await until(pilot, lambda: bool(list(tmp_path.glob("transcript-*.txt"))))
        (path,) = tmp_path.glob("transcript-*.txt")
        await until(pilot, lambda: path.read_text() == "turn on the lights\n")


async def test_a_server_without_history_says_so(server: Server) -> None:
    server.parts.history._on = False
    async with shown(server) as (app, _, pilot):
        await until(
            pilot, lambda: any("STT_SERVER_HISTORY" in n.message for n in app._notifications)
        )
