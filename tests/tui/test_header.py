from dataclasses import replace

import pytest
from textual.app import App, ComposeResult

from common.link import Link
from tests.tui.loopback import screen_text
from tui.places import PLACES
from tui.state import State
from tui.widgets.header import Header, link_words

UP = State(url="http://[b]x:8000", link=Link("up"))
WAITING = State(url=UP.url, link=Link("waiting", "nobody listens there", 3, 102.2))


def longest(state: State, now: float) -> str:
    return link_words(state, now)[0][0]


def test_the_countdown_rounds_up_and_never_goes_below_zero() -> None:
    assert "reconnecting in 3 s" in longest(WAITING, 100)
    assert "reconnecting in 0 s" in longest(WAITING, 105)
    assert "nobody listens there" in longest(WAITING, 105)


def test_every_state_of_the_link_has_its_own_mark() -> None:
    states = [State(), UP, WAITING, State(refusal="no")]
    assert len({longest(state, 0)[0] for state in states}) == 4


class Alone(App[None]):
    def compose(self) -> ComposeResult:
        yield Header(PLACES[0].name)


@pytest.mark.parametrize("width", [20, 40, 80, 300])
async def test_news_of_the_link_are_never_cut_while_there_is_room(width: int) -> None:
    async with Alone().run_test(size=(width, 3)) as pilot:
        header = pilot.app.query_one(Header)
        header.state = UP
        await pilot.pause()
        assert "●" in screen_text(pilot.app)
        header.state = WAITING
        await pilot.pause()
        assert "○ reconnecting in" in screen_text(pilot.app)


async def test_every_place_has_its_name_at_80_columns_and_its_number_at_40() -> None:
    async with Alone().run_test(size=(80, 3)) as pilot:
        pilot.app.query_one(Header).state = replace(UP, round_trip=0.027)
        await pilot.pause()
        line = screen_text(pilot.app).split("\n")[0]
        assert all(f"{place.key} {place.title}" in line for place in PLACES)
        assert line.endswith("●27 ms")
        await pilot.resize_terminal(40, 3)
        await pilot.pause()
        assert "1 Listen  2 3 4 5 6 7" in screen_text(pilot.app)


@pytest.mark.parametrize("width", [40, 80, 120])
async def test_a_click_goes_to_the_place_it_hits(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Alone().run_test(size=(width, 3)) as pilot:
        gone: list[str] = []
        monkeypatch.setattr(pilot.app, "switch_mode", gone.append)
        pilot.app.query_one(Header).state = UP
        await pilot.pause()
        line = screen_text(pilot.app).split("\n")[0]
        for place in PLACES:
            await pilot.click(Header, offset=(line.index(place.key), 0))
        assert gone == [place.name for place in PLACES]


async def test_the_clock_runs_only_while_there_is_something_to_count() -> None:
    async with Alone().run_test() as pilot:
        header = pilot.app.query_one(Header)
        assert not header.ticking
        header.state = WAITING
        assert header.ticking
        header.state = UP
        assert not header.ticking
