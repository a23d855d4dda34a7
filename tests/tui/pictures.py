"""Pictures of the console in every size and theme, taken in one run.

Each is kept as a terminal draws it: ``less -R "tests/tui/__snapshots__/test_looks/test_listen[help].ansi"``.
"""

import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from textual.pilot import Pilot
from textual.widgets import Input

from common.events import Event
from tests.running import ROOT
from tests.tui.loopback import NOON
from tui.app import Console
from tui.screens.export import ExportScreen
from tui.state import State

SIZES = [(80, 24), (40, 24), (160, 44)]
THEMES = ["textual-dark", "textual-light", "ansi-dark"]


class Still(Console):
    """A console that is told everything at once and then nothing more."""

    CSS_PATH = ROOT / "tui" / "app.tcss"

    def __init__(self, state: State, events: Sequence[Event] = ()) -> None:
        super().__init__(state.url)
        self._told = state, events

    def follow(self) -> Any:
        self.state, events = self._told
        self.home.take(events)


class Ansi(SingleFileSnapshotExtension):
    """One file a picture."""

    _file_extension = "ansi"
    _write_mode = WriteMode.TEXT


class Album:
    """A running console, and the pictures that it is compared with."""

    def __init__(self, pilot: "Pilot[None]", kept: SnapshotAssertion) -> None:
        self.pilot = pilot
        self.app = pilot.app
        self._kept = kept

    async def shows(self, name: str) -> None:
        """Compare what is shown now, in all sizes and themes, with the picture of that name."""
        drawn = []
        for theme in THEMES:
            self.app.theme = theme
            for width, height in SIZES:
                await self.pilot.resize_terminal(width, height)
                await at_rest(self.pilot)
                drawn.append(f"{name}, {width}x{height}, {theme}\n{picture(self.app)}\n")
        assert "\n".join(drawn) == self._kept(name=name)

    async def after(self, name: str, *keys: str) -> None:
        """Press keys, and then compare what is shown."""
        await self.pilot.press(*keys)
        await self.app.workers.wait_for_complete()
        await self.shows(name)

    async def back(self) -> None:
        """Leave what was opened."""
        await self.pilot.press("escape")
        await at_rest(self.pilot)


def picture(app: Any) -> str:
    """Return what is on the screen, with its colors as a terminal is told them."""
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(map(_drawn, Segment.simplify(line))) for line in lines)


def _drawn(segment: Segment) -> str:
    # Links and the notes that widgets leave for the mouse aren't seen.
    style = (segment.style or Style()).clear_meta_and_links()
    return style.render(segment.text, color_system=ColorSystem.TRUECOLOR)


async def at_rest(pilot: "Pilot[Any]") -> None:
    """Wait until nothing moves on the screen any more."""
    before = ""
    while (now := picture(pilot.app)) != before:
        before = now
        await pilot.pause()


@asynccontextmanager
async def album(app: Console, kept: SnapshotAssertion) -> AsyncIterator[Album]:
    """Run a console that is to be looked at."""
    async with app.run_test(size=SIZES[0]) as pilot:
        await pilot.app.workers.wait_for_complete()
        yield Album(pilot, kept.use_extension(Ansi))


@pytest.fixture
def same_time_and_place(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let it be noon in Greenwich, and no cursor blink."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    still = SimpleNamespace(time=lambda: NOON, localtime=time.localtime, strftime=time.strftime)
    monkeypatch.setattr("tui.widgets.status.time", still)
    monkeypatch.setattr(Input, "_toggle_cursor", lambda self: None)
    monkeypatch.setattr(ExportScreen, "_offer", lambda self, kind: f"~/transcript.{kind}")
    yield
    monkeypatch.undo()
    time.tzset()

