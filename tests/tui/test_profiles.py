"""The place of the profiles, on a real server: every key of it."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot

from common.client import Client
from common.problems import Refused
from common.profile import BUILTIN, Profile
from tests.ends.speech import DEMO, SPHINX
from tests.running import SOUNDS, Running, running
from tests.tui.loopback import screen_text, until
from tests.tui.real import SOON, answer, console, gone, on, paste, seen
from tui.app import Console
from tui.screens.ask import AskText
from tui.screens.confirm import Confirm
from tui.screens.edit import EditScreen
from tui.screens.profiles import ProfilesScreen

LOUD = Profile.model_validate({"description": "[b]loud[/]", "vad": {"sensitivity": 0.9}})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("profiles")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Running]:
    with running(environment={"STT_SERVER_PROFILES_DIR": str(folder)}) as process:
        yield process


@pytest.fixture
async def client(server: Running, folder: Path) -> AsyncIterator[Client]:
    """A client, of a server with one profile saved."""
    for path in folder.iterdir():
        path.unlink()
    async with Client(server.url) as made:
        await made.save_profile("loud", LOUD)
        yield made
        if await made.sessions():
            await made.stop()


async def names(client: Client) -> list[str]:
    return [one.name for one in (await client.profiles()).profiles if not one.builtin]


async def until_saved(pilot: Pilot[None], folder: Path, wanted: list[str]) -> None:
    await until(
        pilot, lambda: sorted(path.stem for path in folder.glob("[a-z]*.json")) == wanted, SOON
    )


async def test_it_lists_them_with_their_standing_and_how_they_differ(
    server: Running, client: Client, folder: Path
) -> None:
    (folder / "old.json").write_text('{"vad": {"sensitivity": "[/]"}}')
    async with console(server, "2") as pilot:
        await seen(pilot, "vad-triggered default, built in", "loud", "old ✗ can't be used")
        await seen(pilot, "the same settings")
        await pilot.press("end")
        await seen(pilot, "vad.sensitivity: ", "old.json")
        await pilot.press("up")
        await seen(pilot, "[b]loud[/]", "vad.sensitivity 0.6 → 0.9")


async def test_compare_takes_the_next_built_in_one(server: Running, client: Client) -> None:
    async with console(server, "2") as pilot:
        await seen(pilot, "Compared with vad-triggered")
        await pilot.press("v")
        await seen(pilot, "Compared with wake-word", "wake_word.enabled on → off")
        await pilot.press(*"v" * (len(BUILTIN) - 1))
        await seen(pilot, "Compared with vad-triggered")


async def test_one_is_made_from_another(server: Running, client: Client) -> None:
    async with console(server, "2") as pilot:
        await seen(pilot, "loud")
        await pilot.press("end", "n")
        await on(pilot, AskText)
        await pilot.press(*"loud")
        await seen(pilot, "there is a profile loud already")
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, AskText)
        await answer(pilot, "Mine")
        await seen(pilot, "begin with a-z")
        await answer(pilot, "mine")
        await on(pilot, EditScreen)
        await seen(pilot, "Profile mine", "not saved yet")
        await pilot.press("f2")
        await seen(pilot, "saved")
        await pilot.press("escape")
        await on(pilot, ProfilesScreen)
        await seen(pilot, "mine")
    assert await names(client) == ["loud", "mine"]
    assert (await client.profile("mine")).config["vad"]["sensitivity"] == 0.9


async def test_what_is_deleted_can_be_brought_back(
    server: Running, client: Client, folder: Path
) -> None:
    before = (folder / "loud.json").read_text()
    async with console(server, "2") as pilot:
        await seen(pilot, "loud")
        await pilot.press("end")
        await seen(pilot, "0.6 → 0.9")
        await pilot.press("x")
        await until_saved(pilot, folder, [])
        await gone(pilot, "0.6 → 0.9")
        await pilot.press("u")
        await until_saved(pilot, folder, ["loud"])
        await seen(pilot, "0.6 → 0.9")
        await pilot.press("u")
        await seen(pilot, "Nothing was deleted here")
    assert json.loads((folder / "loud.json").read_text()) == json.loads(before)


async def test_a_damaged_one_is_deleted_only_after_a_question(
    server: Running, client: Client, folder: Path
) -> None:
    (folder / "old.json").write_text("{")
    async with console(server, "2") as pilot:
        await seen(pilot, "old ✗")
        await pilot.press("end", "delete")
        await on(pilot, Confirm)
        await pilot.press("n")
        await on(pilot, ProfilesScreen)
        assert (folder / "old.json").exists()
        await pilot.press("e")
        await seen(pilot, "it can't be used as it is")
        await pilot.press("x")
        await on(pilot, Confirm)
        await pilot.press("y")
        await gone(pilot, "old ✗")
        assert not (folder / "old.json").exists()


async def test_a_built_in_one_stays(server: Running, client: Client) -> None:
    async with console(server, "2") as pilot:
        await seen(pilot, "loud")
        await pilot.press("x")
        await seen(pilot, "Built-in profiles stay as they are")
        await pilot.press("m")
        await pilot.pause()
        assert isinstance(pilot.app.screen, ProfilesScreen)


async def test_one_is_renamed(server: Running, client: Client, folder: Path) -> None:
    async with console(server, "2") as pilot:
        await seen(pilot, "loud")
        await pilot.press("end")
        await seen(pilot, "0.6 → 0.9")
        await pilot.press("m")
        await on(pilot, AskText)
        await answer(pilot, "louder")
        await until_saved(pilot, folder, ["louder"])
        await seen(pilot, "louder")


async def test_one_is_written_to_a_file_and_never_over_another_unasked(
    server: Running, client: Client, tmp_path: Path
) -> None:
    file = tmp_path / "out.json"
    file.write_text("mine")
    async with console(server, "2") as pilot:
        await seen(pilot, "loud")
        await pilot.press("end")
        await seen(pilot, "0.6 → 0.9")
        for reply in ("n", "y"):
            await pilot.press("o")
            await on(pilot, AskText)
            await answer(pilot, str(file))
            await on(pilot, Confirm)
            await pilot.press(reply)
            await on(pilot, ProfilesScreen)
            if reply == "n":
                assert file.read_text() == "mine"
        await until(pilot, lambda: file.read_text() != "mine")
        assert json.loads(file.read_text()) == {
            "description": "[b]loud[/]",
            "vad": {"sensitivity": 0.9},
        }
        await pilot.press("o")
        await on(pilot, AskText)
        await answer(pilot, str(tmp_path / "nowhere" / "out.json"))
        await seen(pilot, "Not exported")


async def test_a_file_is_read_and_never_saved_over_another_unasked(
    server: Running, client: Client, folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "Quiet Room.json"
    file.write_text('{"vad": {"sensitivity": 0.2}}')
    async with console(server, "2") as pilot:
        await seen(pilot, "loud")
        await pilot.press("i")
        await on(pilot, AskText)
        await paste(pilot, str(tmp_path / "none"))
        await seen(pilot, "there is no such file")
        await answer(pilot, str(file))
        await seen(pilot, "Import as")
        await pilot.press("enter")
        await until_saved(pilot, folder, ["loud", "quiet-room"])
        await pilot.press("i")
        await on(pilot, AskText)
        await answer(pilot, str(file))
        await seen(pilot, "Import as")
        await answer(pilot, "loud")
        await on(pilot, Confirm)
        await pilot.press("n")
        await on(pilot, ProfilesScreen)
    assert (await client.profile("loud")).config["vad"]["sensitivity"] == 0.9
    assert (await client.profile("quiet-room")).config["vad"]["sensitivity"] == 0.2


async def test_a_file_that_is_no_profile_is_told_with_its_fault(
    server: Running, client: Client, tmp_path: Path
) -> None:
    async with console(server, "2") as pilot:
        await seen(pilot, "loud")
        for text, fault in [("{", "is no JSON"), ('{"vda": {}}', "vda"), ("[]", "Not imported")]:
            file = tmp_path / "bad.json"
            file.write_text(text)
            await pilot.press("i")
            await on(pilot, AskText)
            await answer(pilot, str(file))
            await seen(pilot, fault)


async def test_the_server_listens_with_the_marked_one(server: Running, client: Client) -> None:
    config = {**SPHINX, "audio": {"source": f"file:{DEMO}"}}
    await client.save_profile("demo", Profile.model_validate(config))
    async with console(server, "2") as pilot:
        await seen(pilot, "demo")
        app = pilot.app
        assert isinstance(app, Console)
        await pilot.press("home", *["down"] * len(BUILTIN), "a")
        await until(pilot, lambda: app.state.profile == "demo", SOON)
        await seen(pilot, "● demo in use")


async def test_a_file_that_is_played_is_played_anew_with_another_profile(
    server: Running, client: Client
) -> None:
    playing = f"file:{DEMO}"
    await client.start("noisy-room", {"audio": {"source": playing}})
    own = {**SPHINX, "audio": {"source": f"file:{SOUNDS / 'one-two-three.flac'}"}}
    await client.save_profile("own", Profile.model_validate(own))
    async with console(server, "2") as pilot:
        app = pilot.app
        assert isinstance(app, Console)
        await seen(pilot, "● noisy-room in use", "own")
        await pilot.press("home", "down", "down", "a")
        await until(pilot, lambda: app.state.profile == "dictation", SOON)
        assert [one.source for one in await client.sessions()] == [playing]
        await pilot.press("1", "p", "home", "enter")
        await until(pilot, lambda: app.state.profile == "vad-triggered", SOON)
        assert [one.source for one in await client.sessions()] == [playing]
        await pilot.press("2", "end", "a")
        await until(pilot, lambda: app.state.profile == "own", SOON)
        assert app.state.source == own["audio"]["source"]


async def test_a_server_that_is_away_is_told(server: Running) -> None:
    app = Console("http://127.0.0.1:9")
    async with app.run_test() as pilot:
        await pilot.press("2")
        await seen(pilot, "No profiles")


async def test_everything_fits_in_forty_columns(server: Running, client: Client) -> None:
    async with console(server, "2", size=(40, 24)) as pilot:
        await seen(pilot, "loud", "the same settings")
        assert all(len(line) <= 40 for line in screen_text(pilot.app).split("\n"))


async def test_a_refusal_is_told(
    server: Running, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(self: Client, name: str) -> None:
        raise Refused(503, "Disk full [/]", "make room")

    monkeypatch.setattr(Client, "delete_profile", refuse)
    async with console(server, "2") as pilot:
        await seen(pilot, "loud")
        await pilot.press("end")
        await seen(pilot, "0.6 → 0.9")
        await pilot.press("x")
        await seen(pilot, "Disk full [/]", "make room")
