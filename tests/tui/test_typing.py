"""Keys that come faster than the console answers: a fast typist's, or those of a slow machine."""

from typing import cast

from textual.command import Command, CommandList, CommandPalette
from textual.events import Key

from tests.tui.loopback import Loopback, connected, until
from tui.app import Console
from tui.commands import Palette
from tui.screens.ask import AskText


def type_ahead(app: Console, *keys: str) -> None:
    """Press keys in one go, as a terminal hands them over."""
    for key in keys:
        character = {"slash": "/"}.get(key, key if len(key) == 1 else None)
        app.post_message(Key(key, character))


async def test_words_to_find_are_not_taken_for_orders(server: Loopback) -> None:
    app = Console(server.url)
    async with app.run_test() as pilot:
        await connected(pilot, server)
        type_ahead(app, "slash", *"stop")
        await until(pilot, lambda: app.home.find_line.typed.value == "stop")
        await pilot.pause()
        assert server.asked == []


async def test_the_line_that_was_opened_can_be_closed_at_once(server: Loopback) -> None:
    app = Console(server.url)
    async with app.run_test() as pilot:
        await connected(pilot, server)
        type_ahead(app, "slash", "escape")
        await pilot.pause()
        await pilot.press("slash", "b")
        await until(pilot, lambda: app.home.find_line.typed.value == "b")
        await pilot.press("escape")
        await until(pilot, lambda: not app.home.find_line.display)
        assert app.focused is app.home.transcript
        assert server.asked == []


async def test_a_dialog_that_is_left_twice_takes_nothing_else_along(server: Loopback) -> None:
    app = Console(server.url)
    async with app.run_test() as pilot:
        await connected(pilot, server)
        beneath, dialog, given = AskText("Beneath"), AskText("On top"), list[str | None]()
        await app.push_screen(beneath)
        await app.push_screen(dialog, given.append)
        dialog.dismiss("once")
        dialog.dismiss("twice")
        await pilot.pause()
        assert app.screen is beneath
        assert given == ["once"]
        type_ahead(app, *["escape"] * 5)
        await until(pilot, lambda: app.screen is app.home)
        await pilot.pause()
        assert app.is_running


async def test_the_palette_may_be_used_before_it_is_drawn_and_left_before_it_is_whole(
    server: Loopback,
) -> None:
    app = Console(server.url)
    async with app.run_test() as pilot:
        await connected(pilot, server)
        for keys in (["pageup"], ["pagedown", "end"], ["escape"], ["s", "enter", "enter"]):
            type_ahead(app, "ctrl+p", *keys)
            await pilot.pause()
            type_ahead(app, *["escape"] * 3)
            await until(pilot, lambda: app.screen is app.home)
        type_ahead(app, "ctrl+p", "escape", "escape", "ctrl+p", "escape", "escape")
        await pilot.pause()
        app.search_themes()
        type_ahead(app, "pageup")
        await until(pilot, lambda: isinstance(app.screen, Palette))
        type_ahead(app, *["escape"] * 3)
        await until(pilot, lambda: app.screen is app.home)
        palette = Palette()
        await app.push_screen(palette)
        commands = palette.query_one(CommandList)
        palette.dismiss()
        await until(pilot, lambda: not commands.is_attached)
        palette._refresh_command_list(commands, [], clear_current=True)
        palette._gather_commands("s")
        await pilot.pause()
        assert app.is_running


async def test_a_command_is_run_once_however_often_it_is_chosen(server: Loopback) -> None:
    app = Console(server.url)
    async with app.run_test() as pilot:
        await connected(pilot, server)
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, Palette))
        palette = app.screen
        assert isinstance(palette, Palette)
        commands = palette.query_one(CommandList)

        await until(pilot, lambda: commands.option_count > 0)
        ran: list[int] = []
        chosen = cast("Command", commands.get_option_at_index(0)).hit
        chosen.command = lambda: ran.append(1)
        commands.highlighted = 0
        for _ in range(3):
            commands.action_select()
        await until(pilot, lambda: bool(ran))
        CommandPalette._select_or_command(palette)  # As Textual calls it for one more enter.
        await pilot.pause()
        assert ran == [1]


async def test_an_answer_given_beneath_another_dialog_counts_when_that_is_gone(
    server: Loopback,
) -> None:
    app = Console(server.url)
    async with app.run_test() as pilot:
        await connected(pilot, server)
        dialog, given = AskText("Beneath"), list[str | None]()
        await app.push_screen(dialog, given.append)
        await app.push_screen(AskText("On top"))
        dialog.dismiss("once")
        dialog.dismiss("twice")
        await pilot.pause()
        assert given == []
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.home)
        assert given == ["once"]


async def test_keys_after_the_last_one_go_nowhere(server: Loopback) -> None:
    app = Console(server.url)
    async with app.run_test() as pilot:
        await connected(pilot, server)
        type_ahead(app, "q", "s", "2", "slash")
        await until(pilot, lambda: app._exit)
    assert app.return_code == 0
    assert server.asked == []
