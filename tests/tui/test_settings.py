import json
from pathlib import Path

import pytest

from tests.tui.loopback import screen_text, until
from tui import settings
from tui.app import Console
from tui.settings import Settings, load, remember_theme


def test_without_a_file_everything_is_as_it_comes(tmp_path: Path) -> None:
    assert load(tmp_path / "none.json") == Settings()


def test_what_the_file_holds_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "console.json"
    file.write_text('{"theme": "nord", "keys": {"transcript.copy": "y"}, "motion": true}')
    assert load(file) == Settings("nord", {"transcript.copy": "y"}, True)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "no JSON"),
        ("[]", "no JSON object"),
        ('{"colour": 1}', "no setting 'colour'; there are theme, keys, motion"),
        ('{"theme": 1}', "theme is the name"),
        ('{"motion": "yes"}', "motion is true or false"),
        ('{"keys": {"a": 1}}', "keys is an object"),
    ],
)
def test_what_cannot_be_taken_is_told(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "console.json"
    file.write_text(text)
    assert told in load(file).faults[0]


def test_the_theme_is_remembered_beside_the_rest(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "console.json"
    remember_theme(file, "nord")
    file.write_text('{"theme": "nord", "keys": {"transcript.copy": "y"}}')
    remember_theme(file, "gruvbox")
    assert json.loads(file.read_text()) == {"theme": "gruvbox", "keys": {"transcript.copy": "y"}}
    assert [one.name for one in file.parent.iterdir()] == ["console.json"]


def test_a_broken_file_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "console.json"
    file.write_text("{ mine")
    with pytest.raises(ValueError, match="line 1"):
        remember_theme(file, "nord")
    assert file.read_text() == "{ mine"


def test_the_file_can_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STT_CONSOLE_CONFIG", str(tmp_path / "x.json"))
    assert settings.path() == tmp_path / "x.json"
    monkeypatch.delenv("STT_CONSOLE_CONFIG")
    assert settings.path().name == "console.json"


async def test_a_chosen_theme_is_there_the_next_time(tmp_path: Path) -> None:
    file = tmp_path / "console.json"
    app = Console("http://127.0.0.1:9", config=file)
    async with app.run_test() as pilot:
        assert app.theme == "textual-dark"
        app.theme = "ansi-dark"
        await until(pilot, file.exists)
    again = Console("http://127.0.0.1:9", config=file)
    async with again.run_test():
        assert again.theme == "ansi-dark"


async def test_a_users_key_takes_the_place_of_ours(tmp_path: Path) -> None:
    file = tmp_path / "console.json"
    file.write_text('{"keys": {"app.help": "h"}}')
    app = Console("http://127.0.0.1:9", config=file)
    async with app.run_test() as pilot:
        await pilot.press("question_mark")
        assert app.screen is app.home
        await pilot.press("h")
        assert app.screen is not app.home


async def test_what_is_wrong_with_the_settings_is_told(tmp_path: Path) -> None:
    file = tmp_path / "console.json"
    file.write_text('{"theme": "[b]", "keys": {"transcript.copy": "s", "nothing": "x"}}')
    app = Console("http://127.0.0.1:9", config=file)
    async with app.run_test(size=(100, 40), notifications=True) as pilot:
        await until(pilot, lambda: "nothing is called 'nothing'" in screen_text(app))
        assert "there is no theme '[b]'" in screen_text(app)
        assert "'s' is both 'session.toggle' and" in screen_text(app)
        assert app.theme == "textual-dark"


async def test_nothing_moves_unless_it_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("TEXTUAL_ANIMATIONS", raising=False)
    file = tmp_path / "console.json"
    for asked, level in ((False, "none"), (True, "full")):
        file.write_text(json.dumps({"motion": asked}))
        app = Console("http://127.0.0.1:9", config=file)
        async with app.run_test():
            assert app.animation_level == level
