"""A profile's form as a screen, on a real server that listens meanwhile."""

from collections.abc import AsyncIterator, Iterator

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from common.client import Client
from common.profile import BUILTIN, Profile
from tests.ends.speech import DEMO, SPHINX
from tests.running import Running, running
from tests.tui.loopback import until
from tests.tui.real import SOON, answer, console, on, seen
from tui.app import Console
from tui.screens.ask import AskText
from tui.screens.confirm import Confirm
from tui.screens.differ import DifferScreen
from tui.screens.edit import EditScreen, bad_name
from tui.screens.help import HelpScreen
from tui.screens.profiles import ProfilesScreen

PLAYING = Profile.model_validate({**SPHINX, "audio": {"source": f"file:{DEMO}"}})


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running() as process:
        yield process


@pytest.fixture
async def client(server: Running) -> AsyncIterator[Client]:
    async with Client(server.url) as made:
        await made.save_profile("demo", PLAYING)
        yield made
        for one in (await made.profiles()).profiles:
            if not one.builtin:
                await made.delete_profile(one.name)
        if await made.sessions():
            await made.stop()


async def opened(pilot: Pilot[None], name: str = "demo") -> EditScreen:
    """Open a profile's form and wait until all of it is there."""
    await seen(pilot, name)
    screen = pilot.app.screen
    assert isinstance(screen, ProfilesScreen)
    place = [*BUILTIN, "demo"].index(name)
    screen.listed.highlighted = place
    await until(pilot, lambda: name in screen._known, SOON)
    await pilot.press("enter")
    edit = None
    await on(pilot, EditScreen)
    edit = pilot.app.screen
    assert isinstance(edit, EditScreen)
    await until(pilot, lambda: edit.form.whole, SOON)
    return edit


def field(edit: EditScreen, name: str) -> Input:
    return edit.form.query_one(f"#{name} Input", Input)


def has_focus(edit: EditScreen, name: str) -> bool:
    return edit.form.query_one(f"#{name}").has_pseudo_class("focus-within")


async def heard_by(client: Client) -> Profile:
    """Return the settings of what listens."""
    (session,) = await client.sessions()
    return Profile.model_validate((await client.tune_session(session.session_id)).config)


async def test_a_threshold_is_turned_live_while_the_meter_shows_what_is_heard(
    server: Running, client: Client
) -> None:
    await client.start("demo")
    async with console(server, "2") as pilot:
        edit = await opened(pilot)
        await until(pilot, lambda: edit.meter.level is not None, SOON)
        field(edit, "vad-sensitivity").focus()
        await pilot.press("f6")
        await seen(pilot, "● live")
        await pilot.press("shift+up")
        await seen(pilot, "applied to what listens")
        await until(pilot, lambda: not edit._applying, SOON)
        assert (await heard_by(client)).vad.sensitivity == 0.65
        # Back to what is saved: that, too, is a change to what listens.
        await pilot.press("shift+down")
        await seen(pilot, "as saved", "applied")
        await until(pilot, lambda: not edit._applying, SOON)
        assert (await heard_by(client)).vad.sensitivity == 0.6
        await pilot.press("f6", "shift+up")
        await seen(pilot, "one change")
        assert (await heard_by(client)).vad.sensitivity == 0.6
        assert len(await client.sessions()) == 1


async def test_apply_leaves_alone_what_the_session_was_started_with(
    server: Running, client: Client
) -> None:
    await client.start("demo", {"vad": {"max_utterance": 5}})
    async with console(server, "2") as pilot:
        edit = await opened(pilot)
        field(edit, "vad-min_silence_duration").value = "0.4"
        await seen(pilot, "one change")
        await pilot.press("f5")
        await seen(pilot, "applied to what listens")
        vad = (await heard_by(client)).vad
        assert (vad.min_silence_duration, vad.max_utterance) == (0.4, 5)


async def test_another_source_wants_a_restart_and_f7_does_it(
    server: Running, client: Client
) -> None:
    await client.start("demo")
    (before,) = await client.sessions()
    async with console(server, "2") as pilot:
        edit = await opened(pilot)
        field(edit, "audio-gain").value = "2"
        field(edit, "audio-source").value = f"file:{DEMO.with_name('hello-world.flac')}"
        await seen(pilot, "2 changes")
        await pilot.press("f5")
        await seen(pilot, "Needs a restart", "f7 starts the listening anew")
        assert (await client.sessions())[0].session_id == before.session_id
        await pilot.press("f7")
        await seen(pilot, "listening with these settings")


async def test_apply_with_nobody_listening_says_so(server: Running, client: Client) -> None:
    async with console(server, "2") as pilot:
        await opened(pilot)
        await pilot.press("f5")
        await seen(pilot, "Nothing listens now")


async def test_save_and_save_as(server: Running, client: Client) -> None:
    async with console(server, "2") as pilot:
        edit = await opened(pilot)
        field(edit, "vad-sensitivity").value = "0.3"
        await pilot.press("f2")
        await seen(pilot, "as saved saved")
        assert (await client.profile("demo")).config["vad"]["sensitivity"] == 0.3
        await pilot.press("f3")
        await on(pilot, AskText)
        await answer(pilot, "other")
        await seen(pilot, "Profile other")
        assert (await client.profile("other")).config["audio"]["source"] == f"file:{DEMO}"
        await pilot.press("f3")
        await on(pilot, AskText)
        await answer(pilot, "demo")
        await on(pilot, Confirm)
        await pilot.press("n")
        await seen(pilot, "Profile other")
        await pilot.press("escape")
        await on(pilot, ProfilesScreen)
        screen = pilot.app.screen
        assert isinstance(screen, ProfilesScreen)
        await until(pilot, lambda: screen._marked_name() == "other")


async def test_a_built_in_one_is_saved_under_another_name(server: Running, client: Client) -> None:
    async with console(server, "2") as pilot:
        edit = await opened(pilot, "noisy-room")
        field(edit, "vad-sensitivity").value = "0.2"
        await pilot.press("f2")
        await on(pilot, AskText)
        await seen(pilot, "my-noisy-room", "a built-in profile stays as it is")
        await pilot.press("enter")
        await seen(pilot, "Profile my-noisy-room as saved")
        assert (await client.profile("my-noisy-room")).config["vad"]["sensitivity"] == 0.2
        assert (await client.profile("noisy-room")).config["vad"]["sensitivity"] == 0.4


async def test_what_is_wrong_is_neither_saved_nor_applied(server: Running, client: Client) -> None:
    async with console(server, "2") as pilot:
        edit = await opened(pilot)
        field(edit, "vad-sensitivity").value = "7"
        await seen(pilot, "one fault")
        for key in ("f2", "f3", "f5", "f7", "f8"):
            await pilot.press(key)
        await seen(pilot, "One field is wrong")
        assert pilot.app.screen is edit
        assert (await client.profile("demo")).config["vad"]["sensitivity"] == 0.6
        assert await client.sessions() == []


async def test_leaving_asks_only_if_something_would_be_lost(
    server: Running, client: Client
) -> None:
    async with console(server, "2") as pilot:
        edit = await opened(pilot)
        await pilot.press("escape")
        await on(pilot, ProfilesScreen)
        edit = await opened(pilot)
        field(edit, "vad-sensitivity").value = "0.1"
        await seen(pilot, "one change")
        await pilot.press("escape")
        await on(pilot, Confirm)
        await pilot.press("n")
        await on(pilot, EditScreen)
        await pilot.press("escape")
        await on(pilot, Confirm)
        await pilot.press("y")
        await on(pilot, ProfilesScreen)


async def test_changes_default_and_help_have_their_keys(server: Running, client: Client) -> None:
    async with console(server, "2") as pilot:
        edit = await opened(pilot)
        field(edit, "vad-sensitivity").value = "0.1"
        await seen(pilot, "one change")
        await pilot.press("f8")
        await on(pilot, DifferScreen)
        await seen(pilot, "vad.sensitivity 0.6 → 0.1")
        await pilot.press("escape")
        await on(pilot, EditScreen)
        field(edit, "vad-sensitivity").focus()
        await pilot.press("f4")
        await seen(pilot, "as saved")
        await pilot.press("pagedown")
        await until(pilot, lambda: has_focus(edit, "wake_word-enabled"))
        await pilot.press("pageup", "pageup")
        await until(pilot, lambda: has_focus(edit, "transcription-engine"))
        await pilot.press("f1")
        await on(pilot, HelpScreen)
        await seen(pilot, "Apply every change at once")


def test_a_name_that_no_server_takes_is_told() -> None:
    assert not bad_name("my-room.2")
    for name in ("", "Mine", ".hidden", "x" * 65, "a b", "é"):
        assert "a-z" in bad_name(name)


async def test_without_a_server_nothing_breaks() -> None:
    app = Console("http://127.0.0.1:9")
    async with app.run_test(size=(100, 40), notifications=True) as pilot:
        await app.push_screen(EditScreen("x", Profile(), saved=True))
        await on(pilot, EditScreen)
        await pilot.press("f5")
        await seen(pilot, "apply failed")
