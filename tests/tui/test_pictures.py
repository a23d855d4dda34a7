"""How the other places look, and what opens from them: pictures compared with those approved."""

import pytest
from syrupy.assertion import SnapshotAssertion
from textual.widgets import Input

from common.nearby import Nearby
from common.profile import Profile
from tests.tui.loopback import level, until
from tests.tui.pictures import Album, Still, album, at_rest
from tests.tui.told import EVENTS, STATE
from tui import servers
from tui.screens import diagnostics, sessions
from tui.screens.diagnostics import DiagnosticsScreen
from tui.screens.edit import EditScreen
from tui.screens.servers import ServersScreen
from tui.servers import Known
from tui.state import State

pytestmark = pytest.mark.usefixtures("same_time_and_place", "told")


async def test_profiles(snapshot: SnapshotAssertion) -> None:
    async with album(Still(STATE), snapshot) as shown:
        await shown.pilot.press("2")
        await at_rest(shown.pilot)
        await shown.after("damaged", "end")
        await shown.after("profiles", "up")
        await shown.after("new", "n", *"studio")


async def test_a_profiles_form(snapshot: SnapshotAssertion) -> None:
    async with album(Still(STATE), snapshot) as shown:
        await shown.pilot.press("2")
        edit = await edited(shown)
        await shown.shows("form")
        edit.form.query_one("#vad-pre_speech Input", Input).value = "0.6"
        edit.form.query_one("#vad-sensitivity Input", Input).value = "0.8"
        await until(shown.pilot, lambda: not edit.form.faults)
        await shown.after("differences", "f8")


async def edited(shown: Album) -> EditScreen:
    """Open a profile's form, and type what is wrong into it."""
    profile = Profile.model_validate({"description": "A [b]quiet[/b] room"})
    edit = EditScreen("studio", profile, saved=True)
    await shown.app.push_screen(edit)
    await until(shown.pilot, lambda: edit.form.whole)
    edit.hear(level(session_id=STATE.session_id))
    for field, text in (("vad-sensitivity", "7"), ("vad-pre_speech", "0.5")):
        edit.form.query_one(f"#{field} Input", Input).value = text
    await until(shown.pilot, lambda: bool(edit.form.faults))
    await at_rest(shown.pilot)
    # Only now is it known how high everything is, and so how far there is to scroll.
    edit.form.query_one("#vad-sensitivity Input", Input).focus()
    await at_rest(shown.pilot)
    return edit


async def test_sessions(snapshot: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "PERIOD", 3600)  # What isn't there would be asked for again.
    async with album(Still(STATE), snapshot) as shown:
        await shown.after("sessions", "3")
        await shown.after("devices", "d")
        await shown.back()
        await shown.after("no such file here", "l", *"/no/talk.wav")
        await shown.back()
        await shown.app.workers.wait_for_complete()
        shown.app.screen._show([])
        await shown.shows("none")


async def test_models(snapshot: SnapshotAssertion) -> None:
    async with album(Still(STATE), snapshot) as shown:
        await shown.after("models", "4")
        await shown.after("remove", "x")


async def test_diagnostics(snapshot: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnostics, "PERIOD", 3600)  # Each look is a column more.
    async with album(Still(STATE), snapshot) as shown:
        await shown.pilot.press("5")
        await shown.app.workers.wait_for_complete()
        screen = shown.app.screen
        assert isinstance(screen, DiagnosticsScreen)
        screen.take(EVENTS)
        await shown.after("events", "up")
        await shown.after("event", "enter")
        await shown.back()
        await shown.after("words", "slash", *"the -lazy")


async def test_servers(snapshot: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch) -> None:
    known = [Known("Studio", STATE.url, "keyring"), Known("Attic [/]", "http://attic:8000")]
    monkeypatch.setattr(servers, "load", lambda file: known)
    async with album(Still(STATE), snapshot) as shown:
        await shown.pilot.press("6")
        await shown.app.workers.wait_for_complete()
        near = [Nearby("kitchen-8000", "http://192.0.2.7:8000", "0.1.0", wants_token=True)]
        shown.app.screen.post_message(ServersScreen.Seen(near))
        await shown.shows("servers")
        await shown.after("add", "a", *"studio")
        await shown.back()
        await shown.after("token", "t", *"secret")
        await shown.back()
        await shown.after("forget", "x")


async def test_history(snapshot: SnapshotAssertion) -> None:
    async with album(Still(STATE), snapshot) as shown:
        await shown.after("history", "7")
        await shown.after("search", "slash", *"good")
        await shown.after("delete", "enter", "x")
        await shown.after("delete all", "up", "enter")


async def test_leaving_while_something_is_sent(
    snapshot: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = "This console still sends sound to the server: talk.wav, microphone."
    monkeypatch.setattr("tui.screens.place.PlaceScreen.busy", busy)
    async with album(Still(State(url=STATE.url)), snapshot) as shown:
        await shown.after("leave", "q")
