"""The form: what is typed is checked by the schema at once."""

from typing import Any

from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import Input, Select, Switch

from common.profile import BUILTIN, Profile
from tests.tui.loopback import screen_text, until
from tui.widgets.form import Choice, Form, Row
from tui.widgets.listing import Overlay
from tui.widgets.texts import Texts


class Alone(App[None]):
    AUTO_FOCUS = None
    CSS = "Row, Texts { height: auto; }"

    def __init__(self, profile: Profile) -> None:
        super().__init__()
        self.form = Form(profile)
        self.edited: list[Profile | None] = []

    def compose(self) -> ComposeResult:
        yield self.form

    def on_form_edited(self, message: Form.Edited) -> None:
        self.edited.append(message.profile)


async def whole(pilot: Pilot[Any], app: Alone) -> None:
    await until(pilot, lambda: app.form.whole)
    await pilot.pause()


def row(app: Alone, name: str) -> Row:
    return app.form.query_one(f"#{name}", Row)


async def test_it_begins_with_the_profile_and_nothing_is_marked() -> None:
    profile = BUILTIN["noisy-room"]
    app = Alone(profile)
    async with app.run_test(size=(100, 40)) as pilot:
        await whole(pilot, app)
        assert app.form.profile == profile
        assert app.edited == []
        assert "●" not in screen_text(app)


async def test_a_fault_is_told_under_its_field_as_one_types() -> None:
    app = Alone(Profile())
    async with app.run_test(size=(100, 200)) as pilot:
        await whole(pilot, app)
        row(app, "vad-sensitivity").query_one(Input).value = "7"
        await until(pilot, lambda: "less than or equal to 1" in screen_text(app))
        assert app.form.profile is None
        assert app.edited[-1] is None
        assert row(app, "vad-sensitivity").has_class("-wrong")
        row(app, "vad-sensitivity").query_one(Input).value = "0.4"
        await until(pilot, lambda: app.form.profile is not None)
        assert app.form.profile == Profile.model_validate({"vad": {"sensitivity": 0.4}})
        assert "higher hears more" in screen_text(app)
        assert "● sensitivity" in screen_text(app)


async def test_every_kind_of_control_makes_its_value() -> None:
    app = Alone(Profile())
    async with app.run_test(size=(100, 200)) as pilot:
        await whole(pilot, app)
        row(app, "vad-enabled").query_one(Switch).value = False
        row(app, "vad-detector_type").query_one(Select).value = "silero"
        row(app, "audio-device").query_one(Input).value = "3"
        row(app, "transcription-options").query_one(Input).value = '{"beam": 5}'
        row(app, "audio-channel").query_one(Input).value = "2"
        row(app, "wake_word-words").query(Input).last().value = "computer"
        wanted = {
            "vad": {"enabled": False, "detector_type": "silero"},
            "audio": {"device": 3, "channel": 2},
            "transcription": {"options": {"beam": 5}},
            "wake_word": {"words": ["jarvis", "computer"]},
        }
        await until(pilot, lambda: app.form.profile == Profile.model_validate(wanted))


async def test_text_that_is_no_json_is_a_fault_of_its_field() -> None:
    app = Alone(Profile())
    async with app.run_test(size=(100, 200)) as pilot:
        await whole(pilot, app)
        row(app, "transcription-options").query_one(Input).value = "{"
        await until(pilot, lambda: ("transcription", "options") in app.form.faults)
        assert "not JSON" in screen_text(app)


async def test_what_concerns_no_single_field_is_told_on_top() -> None:
    app = Alone(Profile())
    async with app.run_test(size=(100, 200)) as pilot:
        await whole(pilot, app)
        row(app, "transcription-auto_start").query_one(Switch).value = False
        await until(pilot, lambda: "nothing would ever be" in screen_text(app))


async def test_keys_turn_a_number() -> None:
    app = Alone(Profile())
    async with app.run_test(size=(100, 200)) as pilot:
        await whole(pilot, app)
        row(app, "vad-sensitivity").query_one(Input).focus()
        await pilot.press("shift+up", "ctrl+up")
        await until(pilot, lambda: bool(app.form.profile))
        assert app.form.profile
        assert app.form.profile.vad.sensitivity == 0.7
        await pilot.press("shift+down", "ctrl+down", "shift+down")
        await until(pilot, lambda: app.form.profile.vad.sensitivity == 0.55)  # type: ignore[union-attr]


async def test_the_default_is_put_back_into_any_kind_of_field() -> None:
    app = Alone(BUILTIN["wake-word"])
    async with app.run_test(size=(100, 200)) as pilot:
        await whole(pilot, app)
        assert not await app.form.restore()
        row(app, "wake_word-words").query(Input).first().value = "computer"
        await until(pilot, lambda: app.form.profile.wake_word.words == ["computer"])  # type: ignore[union-attr]
        for name in ("transcription-auto_start", "wake_word-words", "wake_word-enabled"):
            control = row(app, name).query("Switch, Input").first()
            control.focus()
            await until(pilot, lambda control=control: app.focused is control)
            assert await app.form.restore()
        wanted = Profile(description=BUILTIN["wake-word"].description)
        await until(pilot, lambda: app.form.profile == wanted)


class ListAlone(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.texts = Texts(["one", "[/two]"])

    def compose(self) -> ComposeResult:
        yield self.texts


async def test_a_list_grows_at_its_end_and_leaves_out_what_is_emptied() -> None:
    app = ListAlone()
    async with app.run_test() as pilot:
        assert app.texts.value == ["one", "[/two]"]
        assert len(app.texts.query(Input)) == 3
        app.texts.query(Input).last().focus()
        await pilot.press("t", "h", "r", "e", "e")
        await until(pilot, lambda: len(app.texts.query(Input)) == 4)
        app.texts.query(Input).first().value = ""
        assert app.texts.value == ["[/two]", "three"]


async def test_a_choice_that_may_be_none_is_made_and_taken_back() -> None:
    app = Alone(Profile())
    async with app.run_test(size=(100, 40)) as pilot:
        await whole(pilot, app)
        fallback = row(app, "transcription-fallback")
        assert fallback.read() is None
        await fallback.write("pocketsphinx")
        await until(pilot, lambda: bool(app.edited))
        assert app.form.profile is not None
        assert app.form.profile.transcription.fallback == "pocketsphinx"
        await fallback.write(None)
        await until(pilot, lambda: app.form.profile == Profile())


async def test_what_comes_when_the_form_is_gone_does_no_harm() -> None:
    app = Alone(Profile())
    async with app.run_test(size=(100, 40)) as pilot:
        await whole(pilot, app)
        await app.form.remove()
        await app.form._go_on()
        app.form._keep_in_sight()
        await pilot.pause()
        assert app.is_running


async def test_a_choice_that_is_not_whole_takes_a_value() -> None:
    app = Alone(Profile())
    async with app.run_test(size=(100, 40)) as pilot:
        await whole(pilot, app)
        choice = app.form.query(Choice).first()
        await choice.query_one("#label").remove()
        choice.value = choice._options[1][1]
        await choice.query_one(Overlay).remove()
        choice.set_options([("one", 1), ("two", 2)])
        await pilot.pause()
        assert app.is_running
