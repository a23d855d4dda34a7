"""Pictures of the console in every size and theme, taken in one run.

Each is kept as a terminal draws it: ``cat tests/tui/__snapshots__/test_looks/*found*.ansi``.
"""

import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from textual._compositor import Compositor
from textual._context import visible_screen_stack
from textual.pilot import Pilot
from textual.widgets import Input

from common.events import Event
from tests.running import ROOT
from tests.tui.loopback import NOON
from tui.app import Console
from tui.screens.export import ExportScreen
from tui.state import State

SIZES = [(80, 24), (40, 24), (120, 36)]
THEMES = ["textual-dark", "textual-light", "ansi-dark"]
LOOKS = tuple((size, theme) for theme in THEMES for size in SIZES)
"""Every size in every theme."""

ATTRIBUTES = {
    "bold": "1",
    "dim": "2",
    "italic": "3",
    "underline": "4",
    "reverse": "7",
    "strike": "9",
}
DEFAULT = Color.default()
PLAIN = ("", "39", "49")


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
        """Compare what is shown now with the pictures of that name."""
        drawn = []
        for (width, height), theme in LOOKS:
            self.app.theme = theme
            if self.app.size != (width, height):
                await self.pilot.resize_terminal(width, height)
            drawn.append(f"{name}, {width}x{height}, {theme}\n{await at_rest(self.pilot)}\n")
        assert "\n".join(drawn) == self._kept(name=name)

    async def after(self, name: str, *keys: str) -> None:
        """Press keys, and then compare what is shown."""
        await self.pilot.press(*keys)
        await self.pilot.pause()
        await self.shows(name)

    async def back(self) -> None:
        """Leave what was opened."""
        await self.pilot.press("escape")
        await at_rest(self.pilot)


def picture(app: Any) -> str:
    """Return what is on the screen, with its colors as a terminal is told them."""
    visible_screen_stack.set(app._background_screens)
    return "\n".join(_line(strip) for strip in app.screen._compositor.render_strips())


def _line(segments: Iterable[Segment]) -> str:
    """Return a line that says of its colors only what changes."""
    drawn, before = [], PLAIN
    for segment in segments:
        now = _codes(segment.style or Style())
        if now != before:
            kept = now[0] == before[0]
            new = [code for code, old in zip(now, before, strict=True) if not kept or code != old]
            drawn.append(f"\x1b[{'' if kept else '0;'}{';'.join(filter(None, new))}m")
        drawn.append(segment.text)
        before = now
    return "".join([*drawn, "\x1b[0m"])


def _codes(style: Style) -> tuple[str, str, str]:
    """Return what a terminal is told of a style: attributes, color and ground."""
    attributes = ";".join(code for name, code in ATTRIBUTES.items() if getattr(style, name))
    color, ground = style.color or DEFAULT, style.bgcolor or DEFAULT
    return (
        attributes,
        ";".join(color.get_ansi_codes()),
        ";".join(ground.get_ansi_codes(foreground=False)),
    )


async def at_rest(pilot: "Pilot[Any]") -> str:
    """Wait until nothing moves on the screen any more; return its picture."""
    before = ""
    while True:
        await pilot.pause()
        if (now := picture(pilot.app)) == before:
            return now
        before = now


@asynccontextmanager
async def album(app: Console, kept: SnapshotAssertion) -> AsyncIterator[Album]:
    """Run a console that is to be looked at."""
    async with app.run_test(size=SIZES[0]) as pilot:
        await pilot.app.workers.wait_for_complete()
        yield Album(pilot, kept.use_extension(Ansi))


def _undrawn(compositor: Compositor, *given: object, **more: object) -> None:
    # No terminal waits for it, and drawing takes most of the time; a picture is drawn when taken.
    compositor._dirty_regions.clear()


@pytest.fixture
def same_time_and_place(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let it be noon in Greenwich, and no cursor blink."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    still = SimpleNamespace(time=lambda: NOON, localtime=time.localtime, strftime=time.strftime)
    monkeypatch.setattr("tui.widgets.status.time", still)
    monkeypatch.setattr(Input, "_toggle_cursor", lambda self: None)
    monkeypatch.setattr(Compositor, "render_update", _undrawn)
    monkeypatch.setattr(ExportScreen, "_offer", lambda self, kind: f"~/transcript.{kind}")
    yield
    monkeypatch.undo()
    time.tzset()
