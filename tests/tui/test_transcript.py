import time
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from tests.tui.loopback import NOON, said, screen_text, until
from tui.widgets.entries import Entry
from tui.widgets.pen import mark
from tui.widgets.transcript import Transcript

HOSTILE = [
    "[/]",
    "[@click=app.quit]x",
    "[Music] [b]not bold[/b]",
    "emoji 🎉👩‍👩‍👧‍👦 and flags 🇩🇪",
    "日本語のテキストは幅が広い" * 5,
    "مرحبا بالعالم " * 10,
    "word " * 2000,
    "x" * 10_000,
    "\x1b]52;c;aGk=\x07\x1b[2J\x00",
    "e\u0301" * 50,
]


class Alone(App[None]):
    CSS = "Transcript { overflow-y: scroll; overflow-x: hidden; }"

    def compose(self) -> ComposeResult:
        yield Transcript()

    @property
    def transcript(self) -> Transcript:
        return self.query_one(Transcript)


def lines(pilot: Pilot[Any]) -> list[str]:
    """Return what is on the screen without the scrollbar, and without blank lines."""
    return [line for row in screen_text(pilot.app).split("\n") if (line := row.rstrip(" ▁▔"))]


async def drag(pilot: Pilot[Any], start: tuple[int, int], end: tuple[int, int]) -> None:
    await pilot.mouse_down(Transcript, offset=start)
    await pilot.hover(Transcript, offset=end)
    await pilot.mouse_up(Transcript, offset=end)


async def test_a_final_replaces_its_partial() -> None:
    app = Alone()
    async with app.run_test() as pilot:
        app.transcript.hear(said("hello wor", final=False))
        await pilot.pause()
        assert lines(pilot)[0].endswith("… hello wor")
        app.transcript.hear(said("hello world"))
        await pilot.pause()
        clock = time.strftime("%H:%M:%S", time.localtime(NOON))
        assert lines(pilot) == [f" {clock} ● hello world"]


async def test_the_stable_part_of_a_partial_is_brighter() -> None:
    app = Alone()
    async with app.run_test() as pilot:
        app.transcript.hear(said("sure and not", final=False, stable=4))
        await pilot.pause()
        styles = {segment.text: segment.style for segment in app.transcript.render_line(0)}
        assert styles["sure"] == app.transcript.get_component_rich_style(
            "transcript--stable"
        ) + styles["sure"].from_meta({"offset": (12, 0)})
        assert {"sure", " and not"} <= styles.keys()


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("width", [40, 80])
async def test_hostile_text_is_shown_and_breaks_nothing(text: str, width: int) -> None:
    app = Alone()
    async with app.run_test(size=(width, 24)) as pilot:
        for final in (False, True):
            app.transcript.hear(said(text, final=final, stable=7))
            await pilot.pause()
            for y in range(24):
                strip = app.transcript.render_line(y)
                assert strip.cell_length == app.transcript.scrollable_content_region.width
                assert "\x1b" not in strip.text
        assert app.is_running
        assert app.transcript.entries.said()


async def test_markup_is_shown_as_it_was_said() -> None:
    app = Alone()
    async with app.run_test() as pilot:
        app.transcript.hear(said("[/] [Music] [@click=app.quit]x"))
        app.transcript.remark("[b]note[/b]")
        await pilot.pause()
        assert lines(pilot)[0].endswith("● [/] [Music] [@click=app.quit]x")
        assert lines(pilot)[1].endswith("[b]note[/b]")


@pytest.mark.parametrize(
    ("confidence", "sign"), [(0.95, "●"), (0.8, "●"), (0.6, "◐"), (0.1, "○"), (0, "○"), (None, "·")]
)
def test_confidence_has_a_mark_and_a_tone(confidence: float | None, sign: str) -> None:
    assert mark(Entry("final", "x", 0, confidence))[0] == sign


def test_each_kind_of_mark_has_its_own_tone() -> None:
    entries = [Entry("final", "x", 0, sure) for sure in (0.9, 0.6, 0.1, None)]
    assert len({mark(entry)[1] for entry in entries}) == 4


async def test_it_follows_its_end_unless_scrolled_back() -> None:
    app = Alone()
    async with app.run_test(size=(60, 10)) as pilot:
        show = app.transcript
        show.focus()
        for number in range(50):
            show.hear(said(f"number {number}", str(number)))
        await pilot.pause()
        assert lines(pilot)[-1].endswith("number 49")
        await pilot.press("home")
        await until(pilot, lambda: show.scroll_offset.y == 0)
        show.hear(said("while away", "new"))
        await pilot.pause()
        assert lines(pilot)[0].endswith("number 0")
        assert (show.unseen, show.following) == (1, False)
        await pilot.press("end")
        show.hear(said("and back", "newer"))
        await until(pilot, lambda: lines(pilot)[-1].endswith("and back"))
        assert (show.unseen, show.following) == (0, True)


async def test_a_growing_partial_stays_in_sight() -> None:
    app = Alone()
    async with app.run_test(size=(40, 5)) as pilot:
        for number in range(1, 60):
            app.transcript.hear(said("word " * number + "END", final=False))
        await until(pilot, lambda: "END" in lines(pilot)[-1])
        assert app.transcript.following


async def test_a_narrower_window_wraps_anew_and_keeps_its_place() -> None:
    app = Alone()
    async with app.run_test(size=(100, 12)) as pilot:
        show = app.transcript
        for number in range(40):
            show.hear(said(f"number {number} " + "and some more words " * 4, str(number)))
        show.scroll_to(y=show.entries.top(20), animate=False)
        await pilot.pause()
        await pilot.resize_terminal(40, 12)
        await until(pilot, lambda: show.entries.width < 40)
        await until(pilot, lambda: "number 20" in lines(pilot)[0])
        assert not show.following
        await pilot.press("end")
        show.action_follow()
        await pilot.resize_terminal(70, 8)
        await until(pilot, lambda: show.entries.width > 40)
        assert show.following


async def test_selected_words_are_copied_without_times_and_line_breaks() -> None:
    app = Alone()
    async with app.run_test(size=(40, 10)) as pilot:
        app.transcript.hear(said("first one"))
        app.transcript.hear(said("the second is long enough for two or three lines", "u2"))
        app.transcript.hear(said("third", "u3"))
        await pilot.pause()
        assert len(lines(pilot)) == 4
        await drag(pilot, (9, 0), (11, 2))
        text = app.screen.get_selected_text()
        assert text is not None
        assert text.startswith("one\nthe second is long enough for two or")
        assert text.count("\n") == 1


async def test_wide_characters_are_selected_where_the_mouse_is() -> None:
    app = Alone()
    async with app.run_test(size=(40, 10)) as pilot:
        app.transcript.hear(said("日本語テキスト"))
        await pilot.pause()
        await drag(pilot, (3, 0), (9, 0))
        text = app.screen.get_selected_text()
        assert text is not None
        assert "日本語テキスト".startswith(text)
        assert len(text) in (3, 4)


async def test_the_gutter_and_the_empty_page_can_be_selected_harmlessly() -> None:
    app = Alone()
    async with app.run_test(size=(60, 10)) as pilot:
        await drag(pilot, (0, 0), (30, 5))
        assert not app.screen.get_selected_text()
        app.transcript.hear(said("only line"))
        await pilot.pause()
        await drag(pilot, (0, 0), (50, 0))
        assert app.screen.get_selected_text() == "only line"


async def test_selecting_everything_gives_every_utterance_a_line() -> None:
    app = Alone()
    async with app.run_test() as pilot:
        app.transcript.hear(said("one"))
        app.transcript.hear(said("two", "u2"))
        await pilot.pause()
        app.transcript.text_select_all()
        assert app.screen.get_selected_text() == "one\ntwo"


async def test_the_selection_is_seen_and_gone_after_a_resize() -> None:
    app = Alone()
    async with app.run_test() as pilot:
        app.transcript.hear(said("only line"))
        await pilot.pause()
        plain = app.transcript.render_line(0)
        app.transcript.text_select_all()
        await pilot.pause()
        assert app.transcript.render_line(0) != plain
        await pilot.resize_terminal(50, 20)
        await until(pilot, lambda: app.screen.get_selected_text() is None)


async def test_an_empty_page_tells_what_to_do() -> None:
    app = Alone()
    async with app.run_test(size=(30, 10)) as pilot:
        app.transcript.hint = "Nothing yet.\n\nPress [s] to start whatever there is."
        await pilot.pause()
        assert [line.strip() for line in lines(pilot)] == [
            "Nothing yet.",
            "Press [s] to start",
            "whatever there is.",
        ]


async def test_a_theme_change_draws_anew() -> None:
    app = Alone()
    async with app.run_test() as pilot:
        app.transcript.hear(said("hello"))
        await pilot.pause()
        before = app.transcript.render_line(0)
        app.theme = "textual-light"
        await until(pilot, lambda: app.transcript.render_line(0) != before)


async def filled(app: Alone, count: int = 5) -> Transcript:
    show = app.transcript
    show.focus()
    for number in range(count):
        show.hear(said(f"number {number}", str(number)))
    return show


async def test_the_arrows_pick_utterances_and_pass_over_remarks() -> None:
    app = Alone()
    async with app.run_test() as pilot:
        show = await filled(app, 3)
        show.remark("in between")
        show.hear(said("last", "last"))
        await pilot.press("up")
        assert [one.text for one in show.picked_entries()] == ["last"]
        await pilot.press("up", "up")
        assert [one.text for one in show.picked_entries()] == ["number 1"]
        assert "▌" in lines(pilot)[1]
        await pilot.press(*["up"] * 9, "down")
        assert [one.text for one in show.picked_entries()] == ["number 1"]


async def test_v_begins_a_range_and_ends_it() -> None:
    app = Alone()
    async with app.run_test() as pilot:
        show = await filled(app)
        await pilot.press("v", "up", "up")
        assert [one.text for one in show.picked_entries()] == ["number 2", "number 3", "number 4"]
        await pilot.press("v")
        assert [one.text for one in show.picked_entries()] == ["number 2"]
        await pilot.press("end")
        assert show.picked_entries() == []
        assert show.following


async def test_what_is_picked_stays_in_sight_and_still_while_more_is_said() -> None:
    app = Alone()
    async with app.run_test(size=(60, 10)) as pilot:
        show = await filled(app, 50)
        await pilot.press("up")
        for number in range(50, 80):
            show.hear(said(f"number {number}", str(number)))
        await pilot.pause()
        assert any("number 49" in line for line in lines(pilot))
        await pilot.press(*["up"] * 20)
        await until(
            pilot, lambda: any("▌" in line and "number 29" in line for line in lines(pilot))
        )


async def test_the_first_pick_is_what_is_seen() -> None:
    app = Alone()
    async with app.run_test(size=(60, 10)) as pilot:
        show = await filled(app, 50)
        await pilot.press("home")
        await until(pilot, lambda: show.scroll_offset.y == 0)
        await pilot.press("down")
        assert [one.text for one in show.picked_entries()] == ["number 0"]


async def test_what_is_found_is_highlighted_and_gone_to() -> None:
    app = Alone()
    async with app.run_test(size=(60, 10)) as pilot:
        show = await filled(app, 50)
        show.look_for("NUMBER 1")
        assert str(show.search) == "11 of 11"
        await until(pilot, lambda: any("number 19" in line for line in lines(pilot)))
        here = {s.text: s.style for s in show.render_line(show.entries.top(19) - show.scroll_y)}
        assert here["number 1"] != here["9"]
        show.find(1)
        await until(pilot, lambda: "number 1 " in lines(pilot)[0] + " ")
        show.find(-1)
        assert str(show.search) == "11 of 11"
        show.hear(said("number 1 again", "again"))
        assert str(show.search) == "11 of 12"
        show.look_for("")
        assert str(show.search) == ""


async def test_what_is_filtered_out_takes_no_line_and_comes_back() -> None:
    app = Alone()
    async with app.run_test() as pilot:
        show = await filled(app, 3)
        show.sift(lambda entry: entry.text != "number 1")
        show.hear(said("number 1", "late"))
        await pilot.pause()
        assert [line[-8:] for line in lines(pilot)] == ["number 0", "number 2"]
        app.transcript.text_select_all()
        assert app.screen.get_selected_text() == "number 0\nnumber 2"
        show.sift(lambda entry: True)
        await pilot.pause()
        assert len(lines(pilot)) == 4


async def test_speakers_are_named_where_there_is_more_than_one() -> None:
    app = Alone()
    async with app.run_test(size=(70, 10)) as pilot:
        show = app.transcript
        show.hear(said("hello"))
        show.hear(said("hello too", session_id="kitchen"))
        show.name_speakers(["s1", "kitchen"])
        await pilot.pause()
        assert [line[10:] for line in lines(pilot)] == ["● s1      hello", "● kitchen hello too"]
        show.name_speakers(["kitchen"])
        await pilot.pause()
        assert [line[10:] for line in lines(pilot)] == ["● hello", "● hello too"]


async def test_the_oldest_make_way_where_there_are_too_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tui.widgets.entries.MOST", 50)
    app = Alone()
    async with app.run_test(size=(60, 10)) as pilot:
        show = await filled(app, 49)
        await pilot.press("up", "up")
        for number in range(49, 60):
            show.hear(said(f"number {number}", str(number)))
        await pilot.pause()
        assert [one.text for one in show.picked_entries()] == ["number 47"]
        assert len(show.entries) <= 51
        assert show.entries.said()[-1] == "number 59"
        assert show.entries.place(said("number 59", "59")) is None


async def test_an_empty_page_lists_keys_in_a_column() -> None:
    app = Alone()
    async with app.run_test(size=(40, 10)) as pilot:
        app.transcript.hint = "Nothing yet."
        app.transcript.keys = (("s", "start"), ("p", "choose a profile"))
        await pilot.pause()
        shown = [line for line in lines(pilot) if "  " in line.strip()]
        assert shown[0].index("start") == shown[1].index("choose")
