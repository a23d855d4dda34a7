"""What each key of the console does: the table that `test_every_key` goes through."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar

from textual.dom import DOMNode
from textual.pilot import Pilot
from textual.widgets import Input

from common.profile import Profile
from tests.tui.told import EVENTS
from tui.app import Console
from tui.places import PLACES
from tui.screens.ask import AskText
from tui.screens.choose import ChooseProfile
from tui.screens.confirm import Confirm
from tui.screens.diagnostics import DiagnosticsScreen
from tui.screens.differ import DifferScreen
from tui.screens.doctor import DoctorScreen
from tui.screens.edit import EditScreen
from tui.screens.export import ExportScreen
from tui.screens.filter import FilterScreen
from tui.screens.help import HelpScreen
from tui.screens.history import HistoryScreen
from tui.screens.listen import ListenScreen
from tui.screens.models import ModelsScreen
from tui.screens.pick import Pick
from tui.screens.profiles import ProfilesScreen
from tui.screens.raw import RawScreen
from tui.screens.servers import ServersScreen
from tui.screens.sessions import SessionsScreen
from tui.sieve import Sieve
from tui.widgets.chooser import Chooser
from tui.widgets.eventlog import EventLog
from tui.widgets.find import FindLine
from tui.widgets.form import Form, Number
from tui.widgets.picking import Picked
from tui.widgets.transcript import Transcript

Kind = TypeVar("Kind", bound=DOMNode)


@dataclass
class Stage:
    """A console that stands where a key works, and what came of it."""

    pilot: "Pilot[None]"
    asked: list[str]
    """What the server was asked for, and what else left the console."""
    results: list[Any] = field(default_factory=list)
    """What dialogs ended with."""
    before: Any = None
    """What `Case.first` returned."""

    @property
    def app(self) -> Any:
        return self.pilot.app

    @property
    def top(self) -> Any:
        return self.app.screen

    def the(self, kind: type[Kind]) -> Kind:
        """Return the widget of a kind."""
        return self.app.screen.query_one(kind)


Effect = Callable[[Stage], bool]


class Case(NamedTuple):
    """What a key does, and what has to be done before so that it can be seen."""

    effect: Effect
    first: Callable[[Stage], Any] = lambda stage: None


def opens(kind: type[DOMNode]) -> Case:
    return Case(lambda stage: isinstance(stage.top, kind))


def asks(what: str, first: Callable[[Stage], Any] = lambda stage: None) -> Case:
    return Case(lambda stage: what in stage.asked, first)


def ends(*result: Any) -> Case:
    return Case(lambda stage: stage.results == [*result])


def changes(
    what: Callable[[Stage], Any], first: Callable[[Stage], Any] = lambda stage: None
) -> Case:
    """Return what is seen by something being another than before."""

    def prepare(stage: Stage) -> Any:
        first(stage)
        return what(stage)

    return Case(lambda stage: what(stage) != stage.before, prepare)


def becomes(
    what: Callable[[Stage], Any], value: Any, first: Callable[[Stage], Any] = lambda stage: None
) -> Case:
    return Case(lambda stage: what(stage) == value, first)


def found(stage: Stage) -> None:
    stage.top.set_focus(stage.the(Transcript))
    stage.the(Transcript).look_for("e")


def finding(stage: Stage) -> None:
    stage.the(FindLine).open()
    stage.the(Transcript).look_for("e")


def picked(stage: Stage) -> None:
    stage.the(Transcript).action_follow()
    stage.the(Transcript).action_pick(-1)
    stage.the(Transcript).action_pick(-1)


def unpicked(stage: Stage) -> None:
    stage.the(Transcript).action_follow()


def on_all(stage: Stage) -> None:
    stage.top.sieve = Sieve()


def place_of(stage: Stage) -> int | None:
    return stage.the(Transcript).search.at


def chosen(stage: Stage) -> str | None:
    speaker: str | None = stage.top.tabs.chosen
    return speaker


def cursor(stage: Stage) -> int | None:
    return stage.the(Transcript).picked.cursor


def middle(stage: Stage) -> None:
    log = stage.the(EventLog)
    if not log.shown:
        stage.top.take(EVENTS * 20)
    log.marked = 50


def marked(stage: Stage) -> int:
    return stage.the(EventLog).marked


def filtered(stage: Stage) -> None:
    stage.top.words.value = "x"
    stage.the(EventLog).focus()


def deleted(stage: Stage) -> None:
    stage.top._deleted.append(("gone", Profile()))


def number(stage: Stage) -> Input:
    return stage.top.query_one("#vad-min_silence_duration Input", Input)


def in_number(stage: Stage) -> None:
    stage.top.set_focus(number(stage))


def changed_number(stage: Stage) -> None:
    number(stage).value = "3"
    in_number(stage)


def refused(stage: Stage) -> None:
    stage.app.state = replace(stage.app.state, refusal="wrong token")


def in_search(stage: Stage) -> None:
    stage.top.set_focus(stage.top.field)


def focused(stage: Stage) -> Any:
    return stage.app.focused


def pasted(stage: Stage) -> str:
    return str(stage.app.clipboard)


def nothing_copied(stage: Stage) -> None:
    stage.app._clipboard = ""
    if isinstance(stage.top, ListenScreen):
        on_all(stage)


copies = Case(lambda stage: bool(pasted(stage)), nothing_copied)
closes = ends(None)
question = opens(AskText)

TABLE: dict[type[DOMNode], dict[str, Case]] = {
    Console: {
        "r": Case(lambda stage: not stage.app.state.refusal, refused),
        "question_mark": opens(HelpScreen),
        "f1": opens(HelpScreen),
        "q": asks("exit"),
        **{
            place.key: becomes(lambda stage: stage.app.current_mode, place.name) for place in PLACES
        },
    },
    ListenScreen: {
        "s": asks("stop"),
        "p": opens(ChooseProfile),
        "slash": Case(lambda stage: stage.the(FindLine).typed.has_focus),
        "n": changes(place_of, found),
        "N": changes(place_of, found),
        "f": opens(FilterScreen),
        "right_square_bracket": changes(chosen, on_all),
        "right": changes(chosen, on_all),
        "left_square_bracket": changes(chosen, on_all),
        "left": changes(chosen, on_all),
        "c": copies,
        "C": Case(lambda stage: "\n" in pasted(stage), nothing_copied),
        "e": opens(ExportScreen),
        "escape": becomes(cursor, None, picked),
        "d": opens(DoctorScreen),
    },
    Transcript: {
        "up": changes(cursor, picked),
        "down": changes(cursor, picked),
        "v": Case(lambda stage: stage.the(Transcript).picked.anchor is not None, picked),
        "end": becomes(lambda stage: stage.the(Transcript).picked, Picked(), picked),
    },
    FindLine: {
        "escape": becomes(lambda stage: stage.the(FindLine).display, False, finding),
        "up": changes(place_of, finding),
        "down": changes(place_of, finding),
    },
    ProfilesScreen: {
        "n": question,
        "e": opens(EditScreen),
        "a": asks("start"),
        "m": question,
        "x": asks("delete_profile"),
        "delete": asks("delete_profile"),
        "u": asks("save_profile", deleted),
        "v": changes(lambda stage: stage.top._base),
        "i": question,
        "o": question,
    },
    SessionsScreen: {
        "s": asks("stop"),
        "d": opens(Pick),
        "f": question,
        "h": asks("microphone"),
        "l": question,
        "x": asks("close_session"),
        "delete": asks("close_session"),
        "X": asks("stop"),
    },
    ModelsScreen: {
        "p": asks("pull_model"),
        "P": question,
        "c": asks("cancel_pull"),
        "w": asks("configure"),
        "l": asks("load_model"),
        "u": asks("unload_model"),
        "x": opens(Confirm),
        "delete": opens(Confirm),
    },
    DiagnosticsScreen: {
        "d": opens(DoctorScreen),
        "slash": Case(lambda stage: stage.top.words.has_focus),
        "p": changes(lambda stage: stage.the(EventLog).paused),
        "space": changes(lambda stage: stage.the(EventLog).paused),
        "escape": becomes(lambda stage: stage.top.words.value, "", filtered),
    },
    EventLog: {
        "up": becomes(marked, 49, middle),
        "down": becomes(marked, 51, middle),
        "pageup": becomes(marked, 30, middle),
        "pagedown": becomes(marked, 70, middle),
        "end": becomes(marked, 5 * 20 - 1, middle),
        "enter": opens(RawScreen),
    },
    ServersScreen: {
        "a": question,
        "t": question,
        "m": question,
        "x": opens(Confirm),
        "delete": opens(Confirm),
    },
    HistoryScreen: {
        "slash": Case(lambda stage: stage.top.field.has_focus),
        "escape": Case(lambda stage: stage.top.listed.has_focus, in_search),
        "c": copies,
        "e": opens(ExportScreen),
        "x": opens(Pick),
        "delete": opens(Pick),
    },
    AskText: {"escape": closes},
    ChooseProfile: dict.fromkeys(("escape", "p", "q"), closes),
    Confirm: {"y": ends(True), **dict.fromkeys(("n", "escape", "enter", "q"), ends(False))},
    DifferScreen: dict.fromkeys(("escape", "q", "f8"), closes),
    DoctorScreen: {**dict.fromkeys(("escape", "d", "q"), closes), "r": asks("doctor")},
    FilterScreen: dict.fromkeys(("escape", "f", "q"), closes),
    HelpScreen: dict.fromkeys(("escape", "question_mark", "f1", "q"), closes),
    Pick: dict.fromkeys(("escape", "q"), closes),
    RawScreen: {**dict.fromkeys(("escape", "enter", "q"), closes), "c": copies},
    ExportScreen: {
        "escape": closes,
        "enter": Case(lambda stage: "Wrote 1 utterance" in (stage.results or [""])[0]),
        "ctrl+y": ends("Copied 1 utterance as txt."),
    },
    Chooser: {
        "left": changes(lambda stage: stage.top.format.chosen),
        "right": changes(lambda stage: stage.top.format.chosen),
        "space": changes(lambda stage: stage.top.format.chosen),
    },
    EditScreen: {
        "escape": closes,
        "f1": opens(HelpScreen),
        "f2": asks("save_profile"),
        "f3": question,
        "f4": becomes(lambda stage: number(stage).value, "0.7", changed_number),
        "f5": asks("tune_session"),
        "f6": asks("tune_session"),
        "f7": asks("start"),
        "f8": opens(DifferScreen),
    },
    Number: dict.fromkeys(
        ("shift+up", "ctrl+up", "shift+down", "ctrl+down"),
        changes(lambda stage: number(stage).value, in_number),
    ),
    Form: dict.fromkeys(("pageup", "pagedown"), changes(focused, in_number)),
}
"""By what has them: each key, and what comes of it."""
