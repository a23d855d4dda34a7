"""Lines behind a mark, in a list as wide as it happens to be."""

import pytest
from textual.app import App, ComposeResult
from textual.content import Content
from textual.style import Style
from textual.visual import RenderOptions
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tui.widgets.hanging import Hanging

TEXT = "● kitchen, by the window\n  3.1 s wait · 日本語日本語"


class Listed(App[None]):
    CSS = "OptionList { border: none; padding: 0; scrollbar-size: 0 0; }"

    def compose(self) -> ComposeResult:
        yield OptionList(Option(Hanging(Content(TEXT))), Option("next"))


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (40, ["● kitchen, by the window", "  3.1 s wait · 日本語日本語", "next"]),
        (
            18,
            ["● kitchen, by the", "  window", "  3.1 s wait ·", "  日本語日本語", "next"],
        ),
        (9, ["● kitchen", "  , by", "  the", "  window", "  3.1 s", "  wait ·", "  日本語"]),
    ],
)
async def test_what_is_broken_stays_clear_of_the_mark(width: int, lines: list[str]) -> None:
    app = Listed()
    async with app.run_test(size=(width, 12)) as pilot:
        await pilot.pause()
        strips = app.screen._compositor.render_strips()
        drawn = [strip.text.rstrip() for strip in strips]
        assert [line for line in drawn if line][: len(lines)] == lines


@pytest.mark.parametrize("width", range(1, 6))
async def test_the_narrowest_list_is_drawn(width: int) -> None:
    app = Listed()
    async with app.run_test(size=(width, 12)) as pilot:
        await pilot.pause()
        lines = Hanging(Content(TEXT)).render_strips(
            width, None, Style(), RenderOptions(app.screen._get_style, app.screen.styles)
        )
        assert {line.cell_length for line in lines} <= set(range(1, width + 1))
        assert len(lines) > len(TEXT.splitlines())
