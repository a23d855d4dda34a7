"""The export dialog: what it writes, what it asks, and what it refuses."""

from pathlib import Path

import pytest
from textual.app import App
from textual.pilot import Pilot

from tests.tui.loopback import said, screen_text, until
from tui.screens.confirm import Confirm
from tui.screens.export import ExportScreen, path_words

FINALS = {"what is picked": [said("one")], "everything": [said("one"), said("two <3", "u2")]}


async def opened(pilot: Pilot[None], folder: Path) -> tuple[ExportScreen, list[str | None]]:
    done: list[str | None] = []
    screen = ExportScreen(FINALS, folder)
    pilot.app.push_screen(screen, done.append)
    await until(pilot, lambda: screen.is_mounted and "format" in screen_text(pilot.app))
    return screen, done


@pytest.mark.parametrize("size", [(80, 24), (40, 20), (300, 60)])
async def test_a_file_is_written_in_the_chosen_format(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    app: App[None] = App()
    async with app.run_test(size=size) as pilot:
        screen, done = await opened(pilot, tmp_path)
        await pilot.press("left", "left", "shift+tab", "right")
        assert screen.path.value.endswith(".vtt")
        await pilot.press("enter")
        await until(pilot, lambda: bool(done))
        (written,) = tmp_path.iterdir()
        assert written.suffix == ".vtt"
        assert "two &lt;3" in written.read_text(encoding="utf-8")
        assert f"Wrote 2 utterances to {path_words(written)}" == done[0]


async def test_nothing_is_overwritten_without_asking(tmp_path: Path) -> None:
    app: App[None] = App()
    async with app.run_test(size=(80, 24)) as pilot:
        screen, done = await opened(pilot, tmp_path)
        mine = tmp_path / "mine.txt"
        mine.write_text("precious")
        screen.path.value = str(mine)
        await pilot.press("enter")
        await until(pilot, lambda: "mine.txt is there already" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is screen)
        assert mine.read_text() == "precious"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: bool(done))
        assert mine.read_text() == "one\n"


async def test_a_path_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    app: App[None] = App()
    async with app.run_test(size=(80, 24)) as pilot:
        screen, done = await opened(pilot, tmp_path)
        screen.path.value = str(tmp_path / "no" / "[b].txt")
        screen.path.focus()
        await pilot.press("enter")
        await until(pilot, lambda: "No such file or directory" in screen_text(app))
        screen.path.value = "  "
        await pilot.press("enter")
        await until(pilot, lambda: "A name is needed" in screen_text(app))
        await pilot.press("escape")
        assert done == [None]


async def test_a_name_of_ones_own_keeps_its_suffix(tmp_path: Path) -> None:
    app: App[None] = App()
    async with app.run_test(size=(80, 24)) as pilot:
        screen, done = await opened(pilot, tmp_path)
        screen.path.value = "notes.text"
        await pilot.press("right", "enter")
        await until(pilot, lambda: bool(done))
        assert (tmp_path / "notes.text").read_text(encoding="utf-8").startswith("# Transcript")


async def test_it_is_copied_without_a_file(tmp_path: Path) -> None:
    app: App[None] = App()
    async with app.run_test(size=(80, 24)) as pilot:
        _, done = await opened(pilot, tmp_path)
        await pilot.press("ctrl+y")
        assert done == ["Copied 1 utterance as txt."]
        assert app.clipboard == "one\n"
        assert not list(tmp_path.iterdir())


def test_the_home_folder_is_written_as_people_do() -> None:
    assert path_words(Path.home() / "x.txt") == str(Path("~/x.txt"))
    assert path_words(Path("/x.txt")) == str(Path("/x.txt"))
