import pytest
from textual.app import App, ComposeResult

from tests.tui.loopback import level
from tui.widgets.meter import HOLD, Meter, cell_of, level_bar, share_bar, ticks


@pytest.mark.parametrize(
    ("dbfs", "cell"), [(-100, 0), (-60, 0), (-30, 30), (0, 60), (6, 60), (float("-inf"), 0)]
)
def test_the_scale_is_fixed(dbfs: float, cell: int) -> None:
    assert cell_of(dbfs, 61) == cell


def test_silence_does_not_look_loud() -> None:
    assert "━" not in level_bar(-100, None, None, 30).plain


def test_the_peak_stands_on_the_bar() -> None:
    drawn = level_bar(-30, 0, None, 31).plain
    assert drawn == "━" * 16 + "─" * 14 + "┃"


@pytest.mark.parametrize("share", [-1, 0, 0.26, 0.5, 1, 7])
def test_a_bar_is_as_wide_as_it_should_be(share: float) -> None:
    assert share_bar(share, None, 10, "").cell_length == 10


def test_the_threshold_and_the_rooms_noise_stand_on_their_bars() -> None:
    assert share_bar(1, 0.5, 11, "").plain == "━━━━━│━━━━━"
    assert level_bar(-30, None, -60 + 60 / 10 * 2, 11).plain == "━━┊━━━─────"


@pytest.mark.parametrize(("width", "numbers"), [(60, 7), (25, 4), (10, 2)])
def test_there_are_as_many_numbers_as_fit(width: int, numbers: int) -> None:
    assert len(ticks(width).split()) == numbers
    assert ticks(width).split()[0] == "-60"
    assert ticks(width).split()[-1] == "0"


class Alone(App[None]):
    def compose(self) -> ComposeResult:
        yield Meter()


async def test_the_peak_is_held_for_a_while() -> None:
    async with Alone().run_test() as pilot:
        meter = pilot.app.query_one(Meter)
        meter.level = level(-30, peak_dbfs=-6, timestamp=100.0)
        meter.level = level(-30, peak_dbfs=-20, timestamp=100.0 + HOLD)
        assert meter.peak == -6
        meter.level = level(-30, peak_dbfs=-20, timestamp=100.1 + HOLD)
        assert meter.peak == -20
        meter.level = None
        assert meter.peak is None


async def test_the_lamp_changes_its_shape_and_its_word() -> None:
    async with Alone().run_test() as pilot:
        meter = pilot.app.query_one(Meter)
        assert "nothing listens" in str(meter.border_title)
        meter.level = level(speaking=False, webrtc=1.0, noise_floor_dbfs=-51.6)
        assert "○ silent" in str(meter.border_title)
        assert "room -52 dBFS" in str(meter.border_subtitle)
        meter.level = level(speaking=True, silero=0.91)
        assert "● speaking" in str(meter.border_title)
        assert "0.91" in str(meter.render())


@pytest.mark.parametrize("height", range(1, 12))
async def test_there_are_as_many_rows_as_there_is_room_for(height: int) -> None:
    async with Alone().run_test(size=(40, height)) as pilot:
        meter = pilot.app.query_one(Meter)
        meter.styles.height = height
        meter.level = level(webrtc=1.0, silero=0.3, threshold=0.3)
        await pilot.pause()
        assert len(str(meter.render()).split("\n")) <= height
        assert "level" in str(meter.render())
