"""The place of engines and models: what is shown of them, and every key."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from common.api import ConfigureRequest
from common.client import Client
from common.events import ModelProgress
from common.models import (
    EngineInfo,
    Engines,
    Model,
    ModelDeleted,
    ModelInfo,
    ModelPulling,
    Models,
    PullCancelled,
)
from common.problems import Refused
from tests.running import TINY, Running, running
from tests.tui.loopback import until
from tests.tui.real import SOON, answer, console, gone, on, seen
from tui.app import Console
from tui.messages import EventsArrived
from tui.screens.ask import AskText
from tui.screens.confirm import Confirm
from tui.screens.models import (
    ModelsScreen,
    advanced,
    described,
    engine_line,
    everything,
    progress,
)
from tui.text import size

TINY_MODEL = ModelInfo(
    name="tiny",
    engine="mlx_whisper",
    repository="mlx-community/whisper-tiny",
    installed=False,
    state="available",
)


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running() as process:
        yield process


@pytest.fixture
async def client(server: Running) -> AsyncIterator[Client]:
    async with Client(server.url) as made:
        yield made


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (999, "999 B"), (74_000_000, "74 MB"), (1_600_000_000, "1.6 GB")],
)
def test_bytes_are_told_as_people_read_them(count: int, words: str) -> None:
    assert size(count) == words


def test_a_model_is_told_with_its_state_and_size() -> None:
    assert "· tiny" in described(TINY_MODEL, used=False).plain
    loaded = TINY_MODEL.model_copy(
        update={"state": "loaded", "size_bytes": 74e6, "memory_bytes": 9e7, "in_use": 2}
    )
    line = described(loaded, used=True).plain
    assert "in use  loaded · 74 MB on disk · 90 MB of memory · 2 sessions" in line


def test_a_download_has_a_bar_once_its_size_is_known() -> None:
    assert progress(5e6, None).plain.strip() == "5 MB, of how many isn't known yet"
    assert "50%  50 MB of 100 MB" in progress(50e6, 100e6).plain
    assert progress(50e6, 100e6).plain.count("━") == 12
    assert "100%" in progress(110e6, 110e6).plain


def test_an_engine_that_is_missing_is_told_with_the_cure() -> None:
    missing = EngineInfo(name="openai", installed=False, missing="set OPENAI_API_KEY [/]")
    assert engine_line(missing).plain == "✗ openai  set OPENAI_API_KEY [/]"
    there = EngineInfo(name="mlx", installed=True, default_model="tiny")
    assert engine_line(there).plain == "✓ mlx  default model tiny"


def test_a_model_that_comes_with_its_engine_is_listed_too() -> None:
    sphinx = EngineInfo(
        name="pocketsphinx", installed=True, models=[Model(name="en-us", installed=True)]
    )
    mlx = EngineInfo(
        name="mlx_whisper", installed=True, models=[Model(name="tiny", installed=False)]
    )
    listed = everything(
        Engines(engines=[mlx, sphinx], auto=""), Models(models=[TINY_MODEL], cache="/c")
    )
    assert [(one.name, one.state) for one in listed] == [
        ("tiny", "available"),
        ("en-us", "installed"),
    ]


def test_news_of_a_download_move_its_bar_and_other_news_ask_again() -> None:
    told = ModelProgress(model="mlx-community/whisper-tiny", stage="download", done=5, total=10)
    (after,) = advanced([TINY_MODEL], told) or []
    assert (after.state, after.done, after.total) == ("downloading", 5, 10)
    assert advanced([TINY_MODEL], told.model_copy(update={"stage": "installed"})) is None
    assert advanced([TINY_MODEL], told.model_copy(update={"model": "other"})) is None


async def test_engines_and_models_of_the_server_are_listed(server: Running, client: Client) -> None:
    async with console(server, "4") as pilot:
        await seen(pilot, "✓ pocketsphinx", "auto takes", "tiny", "available", "free")


async def test_one_is_loaded_used_and_unloaded(server: Running, client: Client) -> None:
    await client.load_model("mlx_whisper", str(TINY))
    async with console(server, "4") as pilot:
        await seen(pilot, "● " + str(TINY))
        app = pilot.app
        assert isinstance(app, Console)
        screen = app.screen
        assert isinstance(screen, ModelsScreen)
        mark(screen, str(TINY))
        await pilot.press("u")
        await gone(pilot, "● " + str(TINY))
        mark(screen, "en-us")
        await pilot.press("l")
        await until(pilot, lambda: state_of(screen, "en-us") == "loaded", SOON)
        await client.load_model("mlx_whisper", str(TINY))
        await seen(pilot, "● " + str(TINY))
        mark(screen, str(TINY))
        await pilot.press("w")
        await until(pilot, lambda: is_used(app, str(TINY)), SOON)
        await seen(pilot, "in use")
        await client.configure(ConfigureRequest(engine="auto", model=None))


async def test_what_cannot_be_done_is_told(server: Running, client: Client) -> None:
    async with console(server, "4") as pilot:
        await seen(pilot, "tiny")
        screen = pilot.app.screen
        assert isinstance(screen, ModelsScreen)
        mark(screen, "tiny")
        await pilot.press("c")
        await seen(pilot, "cancel: ")
        await pilot.press("u")
        await seen(pilot, "unload: ")
        await pilot.press("x")
        await on(pilot, Confirm)
        await pilot.press("y")
        await seen(pilot, "remove: ")


async def test_pulling_cancelling_and_removing_ask_the_server(
    server: Running, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    def stand_in(name: str, answer: Any) -> None:
        async def do(self: Client, model: str) -> Any:
            asked.append((name, model))
            return answer

        monkeypatch.setattr(Client, name, do)

    stand_in("pull_model", ModelPulling(pulling=False, model="tiny"))
    stand_in("cancel_pull", PullCancelled(cancelled=True, model="tiny"))
    stand_in("delete_model", ModelDeleted(deleted=True, model="tiny", freed_bytes=74_000_000))
    async with console(server, "4") as pilot:
        await seen(pilot, "tiny")
        screen = pilot.app.screen
        assert isinstance(screen, ModelsScreen)
        mark(screen, "tiny")
        await pilot.press("p")
        await seen(pilot, "it is on the server's disk already")
        await pilot.press("P")
        await on(pilot, AskText)
        await answer(pilot, "org/model")
        await until(pilot, lambda: ("pull_model", "org/model") in asked, SOON)
        await on(pilot, ModelsScreen)
        await pilot.press("c")
        await until(pilot, lambda: ("cancel_pull", "tiny") in asked, SOON)
        await pilot.press("x")
        await on(pilot, Confirm)
        await pilot.press("n")
        await on(pilot, ModelsScreen)
        await pilot.press("delete")
        await on(pilot, Confirm)
        await pilot.press("y")
        await seen(pilot, "74 MB freed")
        assert asked == [
            ("pull_model", "tiny"),
            ("pull_model", "org/model"),
            ("cancel_pull", "tiny"),
            ("delete_model", "tiny"),
        ]


async def test_a_download_is_seen_as_it_comes(server: Running, client: Client) -> None:
    async with console(server, "4") as pilot:
        await seen(pilot, "tiny")
        app = pilot.app
        assert isinstance(app, Console)
        told = ModelProgress(
            model="mlx-community/whisper-tiny", stage="download", done=30e6, total=75e6
        )
        await app.inbox.put(told)
        app.post_message(EventsArrived())
        await seen(pilot, "downloading", "40% 30 MB of 75 MB")


async def test_a_refused_pull_is_told(
    server: Running, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(self: Client, model: str) -> None:
        raise Refused(503, "No room [/]", "free 1 GB")

    monkeypatch.setattr(Client, "pull_model", refuse)
    async with console(server, "4") as pilot:
        await seen(pilot, "tiny")
        await pilot.press("p")
        await seen(pilot, "No room [/]", "free 1 GB")


def mark(screen: ModelsScreen, name: str) -> None:
    screen.listed.highlighted = [one.name for one in screen._models].index(name)


def is_used(app: Console, name: str) -> bool:
    return app.state.engine is not None and app.state.engine.model == name


def state_of(screen: ModelsScreen, name: str) -> str:
    return next((one.state for one in screen._models if one.name == name), "")
