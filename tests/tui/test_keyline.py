import gc

from textual.widgets._footer import FooterKey

from tests.tui.loopback import until
from tui.app import Console


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
