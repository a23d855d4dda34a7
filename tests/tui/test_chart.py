from textual.app import App, ComposeResult

from tests.tui.loopback import screen_text
from tui.widgets.chart import Chart, columns, scale


def test_the_scale_keeps_to_round_numbers() -> None:
    assert scale([], 1) == 1
    assert scale([0.2], 1) == 1
    assert scale([1.1], 1) == 2
    assert scale([2.1], 1) == 5
    assert scale([5.1], 1) == 10
    assert scale([19], 1) == 20
    assert scale([6], 5) == 10


def test_a_column_is_as_high_as_its_reading() -> None:
    assert columns([0, 0.5, 1], 1, 1) == ["▁▄█"]
    assert columns([0.5, 1], 1, 2) == [" █", "██"]
    assert columns([None, 0.0], 1, 1) == [" ▁"]
    assert columns([], 1, 2) == ["", ""]
    assert columns([9], 1, 1) == ["█"]


class Alone(App[None]):
    CSS = "Chart { height: 4; border: round white; }"

    def compose(self) -> ComposeResult:
        yield Chart("Latency", "s", least=1, warn=2)


async def test_the_newest_readings_are_drawn_with_the_last_in_numbers() -> None:
    async with Alone().run_test(size=(20, 6)) as pilot:
        chart = pilot.app.query_one(Chart)
        assert "nothing yet" in screen_text(pilot.app)
        for value in (None, *range(50)):
            chart.take(value)
        await pilot.pause()
        assert "49 s" in screen_text(pilot.app)
        assert "50 " in screen_text(pilot.app)
        chart.take(None)
        await pilot.pause()
        assert "49 s" in screen_text(pilot.app)
        chart.forget()
        await pilot.pause()
        assert "nothing yet" in screen_text(pilot.app)
