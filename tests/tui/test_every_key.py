"""Every key is pressed, and something comes of it: none of the code's bindings is left out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.dom import DOMNode
from textual.pilot import Pilot
from textual.screen import Screen

from common.client import Client
from common.past import History
from common.problems import Broken
from common.profile import Profile
from tests.tui.keyboard import TABLE, Stage
from tests.tui.loopback import PROFILES, said, until
from tests.tui.pictures import Still
from tests.tui.told import EVENTS, STATE
from tui import servers
from tui.app import Console
from tui.keys import groups, keys_of
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
from tui.screens.listen import ListenScreen
from tui.screens.pick import Pick, offered
from tui.screens.profiles import ProfilesScreen
from tui.screens.raw import RawScreen
from tui.servers import Known
from tui.sieve import Sieve
from tui.sounds import SoundFault
from tui.widgets.chooser import Chooser
from tui.widgets.eventlog import EventLog
from tui.widgets.form import Form, Number

pytestmark = pytest.mark.usefixtures("same_time_and_place", "told")

TALK = [said("Good morning", "1"), said("Here we are", "2"), said("Hello", "3", session_id="k")]
WRITES = (
    *("start", "stop", "close_session", "pull_model", "cancel_pull", "delete_model"),
    *("load_model", "unload_model", "configure", "tune_session", "doctor"),
)
DIALOGS: dict[type[DOMNode], Callable[[Path], Screen[Any]]] = {
    AskText: lambda folder: AskText("Name"),
    ChooseProfile: lambda folder: ChooseProfile(PROFILES, None),
    Confirm: lambda folder: Confirm("Really?", "Confirm"),
    DifferScreen: lambda folder: DifferScreen("Differences", []),
    DoctorScreen: lambda folder: DoctorScreen(),
    FilterScreen: lambda folder: FilterScreen(Sieve(), ["a", "b"]),
    HelpScreen: lambda folder: HelpScreen([("x", "does it")]),
    Pick: lambda folder: Pick("Which", [(offered("this"), 1)]),
    RawScreen: lambda folder: RawScreen(EVENTS[0]),
    ExportScreen: lambda folder: ExportScreen({"everything": TALK[:1]}, folder),
    EditScreen: lambda folder: EditScreen("studio", Profile(), saved=True),
}
WITHIN: dict[type[DOMNode], type[DOMNode]] = {
    Chooser: ExportScreen,
    Number: EditScreen,
    Form: EditScreen,
}
"""What stands in a dialog."""
PLACED = {place.load(): place.name for place in PLACES} | {EventLog: "diagnostics"}


def test_the_table_tells_of_every_key() -> None:
    ours = {
        group.owner: {key for binding in group.bindings for key in keys_of(binding, {})}
        for group in groups()
    }
    assert ours == {owner: set(cases) for owner, cases in TABLE.items()}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Note what leaves the console; most of it fails, which changes nothing."""
    noted: list[str] = []

    def note(name: str, *, fails: bool = True) -> Callable[..., Any]:
        async def ask(*given: object, **more: object) -> None:
            noted.append(name)
            if fails:
                raise Broken("not here")

        return ask

    async def microphone() -> None:
        noted.append("microphone")
        raise SoundFault("none here")

    for name in WRITES:
        monkeypatch.setattr(Client, name, note(name))
    for name in ("save_profile", "delete_profile"):
        monkeypatch.setattr(Client, name, note(name, fails=False))
    monkeypatch.setattr(History, "delete", note("delete"))
    monkeypatch.setattr("tui.screens.sessions.microphone", microphone)
    monkeypatch.setattr(ExportScreen, "_offer", lambda self, kind: str(tmp_path / f"talk.{kind}"))
    monkeypatch.setattr(Console, "exit", lambda self: noted.append("exit"))
    monkeypatch.setattr(servers, "load", lambda file: [Known("Studio", STATE.url)])
    return noted


@pytest.mark.parametrize("owner", TABLE, ids=lambda owner: owner.__name__)
async def test_every_key_does_what_it_says(
    owner: type[DOMNode], asked: list[str], tmp_path: Path
) -> None:
    app = Still(STATE, TALK)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: app.state.running)
        stage = Stage(pilot, asked)
        for key, case in TABLE[owner].items():
            await _set(stage, owner, tmp_path)
            asked.clear()
            stage.results.clear()
            stage.before = case.first(stage)
            await pilot.pause()
            await pilot.press(key)
            try:
                await until(pilot, lambda case=case: case.effect(stage), 5)
            except AssertionError as error:
                raise AssertionError(f"{key} of {owner.__name__} did nothing:\n{error}") from None


async def _set(stage: Stage, owner: type[DOMNode], folder: Path) -> None:
    """Go where a key works, from wherever the one before has led."""
    app, kind = stage.app, WITHIN.get(owner, owner)
    while len(app.screen_stack) > 1 and type(app.screen) is not kind:
        app.screen.dismiss(None)
        await stage.pilot.pause()
    if type(app.screen) is kind and kind in DIALOGS:
        return
    await app.action_go(PLACED.get(owner, PLACES[0].name))
    await _ready(stage.pilot)
    if kind in DIALOGS:
        screen = DIALOGS[kind](folder)
        await app.push_screen(screen, stage.results.append)
        await until(stage.pilot, lambda: not isinstance(screen, EditScreen) or screen.form.whole)


async def _ready(pilot: "Pilot[None]") -> None:
    """Wait until a place shows what the server told."""
    screen: Any = pilot.app.screen
    if isinstance(screen, ListenScreen):
        screen.find_line.display = False
        screen.set_focus(screen.transcript)
    elif isinstance(screen, DiagnosticsScreen):
        screen.set_focus(screen.log_of_events)
    elif isinstance(screen, ProfilesScreen):
        await until(pilot, lambda: screen.listed.option_count > 0)
        screen.listed.highlighted = 5
        await until(pilot, lambda: "studio" in screen._known)
    else:
        await until(pilot, lambda: screen.listed.option_count > 0)
