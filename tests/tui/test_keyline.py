import gc

from textual.widgets._footer import FooterKey

from tests.tui.loopback import screen_text, until
from tui.app import Console
from tui.widgets.keyline import KeyLine


async def test_only_whole_keys_are_shown_and_help_always() -> None:
    app = Console("http://127.0.0.1:9")
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "^p palette" in screen_text(app))
        await pilot.resize_terminal(40, 24)
        await until(pilot, lambda: last_line(app) == "s Start/stop  p Profile  ? Help")
        await pilot.press("question_mark")
        await pilot.resize_terminal(64, 24)
        await pilot.press("escape")
        wide = "s Start/stop  p Profile  / Find  c Copy  e Export  ? Help"
        await until(pilot, lambda: last_line(app) == wide)


def last_line(app: Console) -> str:
    return screen_text(app).splitlines()[-1].strip()


async def test_keys_that_are_shown_no_more_are_let_go() -> None:
    app = Console("http://127.0.0.1:9")
    async with app.run_test(size=(100, 30)) as pilot:
        counts = []
        for _ in range(4):
            await pilot.press("slash")
            await until(pilot, lambda: app.home.find_line.display)
            await pilot.press("escape")
            await until(pilot, lambda: not app.home.find_line.display)
            await pilot.pause()
            gc.collect()
            counts.append(sum(issubclass(type(one), FooterKey) for one in gc.get_objects()))
        assert counts[-1] <= counts[0], counts


async def test_keys_that_come_when_their_screen_is_gone_do_no_harm() -> None:
    app = Console("http://127.0.0.1:9")
    async with app.run_test() as pilot:
        line = KeyLine()
        await app.screen.mount(line)
        await line.remove()
        await line.recompose()
        await pilot.pause()
        assert app.is_running
