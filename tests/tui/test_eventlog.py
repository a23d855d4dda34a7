"""The log of events: what is shown, what is marked, and what waits."""

from textual.app import App, ComposeResult
from textual.pilot import Pilot

from common.events import Error, SessionStarted, parse
from tests.tui.loopback import level, said, screen_text, until
from tui.widgets.eventlog import KEPT, EventLog, matches, told


class Alone(App[None]):
    CSS = "EventLog { overflow-x: hidden; overflow-y: scroll; }"

    def __init__(self) -> None:
        super().__init__()
        self.events = EventLog()
        self.opened: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.events

    def on_event_log_opened(self, message: EventLog.Opened) -> None:
        self.opened.append(told(message.event))


def fill(app: Alone, count: int) -> None:
    for number in range(count):
        app.events.add(said(f"n {number}.", str(number)))


def test_an_event_is_told_in_a_line_of_its_own_fields() -> None:
    line = told(said("a\x1b[31m [/]\nb", confidence=0.123456))
    assert line.startswith("text=a␛[31m [/] b is_final=True confidence=0.123 ")
    assert "timestamp" not in line


def test_words_choose_and_levels_must_be_asked_for() -> None:
    assert matches(said("hello"), [])
    assert not matches(level(), [])
    assert matches(level(), ["level"])
    assert matches(said("hello"), ["transcription", "hell"])
    assert not matches(said("hello"), ["-hell"])
    assert matches(said("a - b"), ["-"])
    assert matches(parse('{"event": "news", "what": "ever"}'), ["news", "ever"])


async def test_it_follows_its_end_and_stays_where_one_goes_back() -> None:
    app = Alone()
    async with app.run_test(size=(60, 10)) as pilot:
        fill(app, 50)
        await shows(pilot, "n 49.")
        await pilot.press("pageup", "up")
        await shows(pilot, "n 28.")
        fill(app, 10)
        await pilot.pause()
        assert "n 28." in screen_text(app)
        await pilot.press("end")
        await shows(pilot, "n 9.")
        await pilot.press("pageup", "pagedown", "down")
        assert app.events.following


async def test_enter_and_a_double_click_open_what_is_marked() -> None:
    app = Alone()
    async with app.run_test(size=(60, 10)) as pilot:
        await pilot.press("enter")
        fill(app, 3)
        await pilot.press("up", "enter")
        await until(pilot, lambda: len(app.opened) == 1)
        await pilot.click(app.events, offset=(5, 0), times=2)
        await until(pilot, lambda: len(app.opened) == 2)
        assert [line.split()[1] for line in app.opened] == ["1.", "0."]


async def test_a_filter_shows_what_came_before_it_too() -> None:
    app = Alone()
    async with app.run_test(size=(60, 10)) as pilot:
        fill(app, 5)
        app.events.add(Error(error="Sound lost", details="[/]"))
        app.events.filter("error")
        await shows(pilot, "Sound lost")
        assert "n 4." not in screen_text(app)
        app.events.add(SessionStarted(source="microphone"))
        app.events.filter("")
        await shows(pilot, "n 4.", "session_started")


async def test_while_paused_nothing_moves_and_nothing_is_lost() -> None:
    app = Alone()
    async with app.run_test(size=(60, 10)) as pilot:
        fill(app, 3)
        app.events.paused = True
        app.events.add(said("later"))
        await pilot.pause()
        assert "later" not in screen_text(app)
        assert app.events.border_subtitle == "paused · 1 wait"
        app.events.paused = False
        await shows(pilot, "later")
        assert app.events.border_subtitle == ""


async def test_it_is_bounded() -> None:
    app = Alone()
    async with app.run_test(size=(60, 10)) as pilot:
        fill(app, 2 * KEPT)
        await shows(pilot, f"n {2 * KEPT - 1}.")
        assert len(app.events.shown) <= KEPT + KEPT // 4
        await pilot.press("home", "up")
        await pilot.pause()


async def shows(pilot: Pilot[None], *texts: str) -> None:
    for text in texts:
        await until(pilot, lambda text=text: text in screen_text(pilot.app))
