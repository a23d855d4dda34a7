"""The console on a real server: how tests of its places begin and what they wait for."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from textual.events import Paste
from textual.pilot import Pilot

from tests.running import Running
from tests.tui.loopback import screen_text, until
from tui.app import Console

SOON = 30.0
"""Seconds in which a server that shares its machine answers."""


@asynccontextmanager
async def console(
    server: Running, key: str = "1", size: tuple[int, int] = (110, 40)
) -> AsyncIterator[Pilot[None]]:
    """Run the console on a server and go to a place."""
    app = Console(server.url)
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: app.state.connected and app.state.engine is not None, SOON)
        await pilot.press(key)
        yield pilot


async def seen(pilot: Pilot[Any], *texts: str) -> None:
    """Wait until all of these stand on the screen."""
    for text in texts:
        await until(pilot, lambda text=text: text in flat(pilot), SOON)


async def gone(pilot: Pilot[Any], text: str) -> None:
    """Wait until this stands on the screen no more."""
    await until(pilot, lambda: text not in flat(pilot), SOON)


async def on(pilot: Pilot[Any], screen: type, also: Callable[[], bool] = lambda: True) -> None:
    """Wait until a screen of this kind is on top."""
    await until(pilot, lambda: isinstance(pilot.app.screen, screen) and also(), SOON)
    await pilot.pause()


async def answer(pilot: Pilot[Any], text: str, *, clear: bool = True) -> None:
    """Paste an answer to a question and give it."""
    if clear:
        await pilot.press("end", "ctrl+u")
    await paste(pilot, text)
    await pilot.press("enter")


async def paste(pilot: Pilot[Any], text: str) -> None:
    """Paste into what has the focus: a path's hundred keys, one by one, take seconds."""
    focused = pilot.app.focused
    assert focused
    focused.post_message(Paste(text))
    await pilot.pause()


def flat(pilot: Pilot[Any]) -> str:
    """Return what is on the screen, with white space drawn together."""
    return " ".join(screen_text(pilot.app).replace("│", " ").split())
