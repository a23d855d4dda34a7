"""The schema as a form sees it."""

import pytest

from backend.tuning import changed
from common.profile import BUILTIN, Profile, merged
from tui.fields import (
    Field,
    Path,
    changes,
    check,
    differences,
    every_field,
    get,
    put,
    read,
    sections,
    shown,
    sparse,
    turned,
)

FIELDS = {".".join(field.path): field for field in every_field()}


def leaves(config: dict[str, object], above: Path = ()) -> set[Path]:
    found: set[Path] = set()
    for name, value in config.items():
        deep = isinstance(value, dict) and name in ("transcription", "vad", "wake_word", "audio")
        if isinstance(value, dict) and (deep or name == "parameters"):
            found |= leaves(value, (*above, name))
        else:
            found.add((*above, name))
    return found


def test_every_setting_of_the_schema_is_a_field_with_help() -> None:
    assert {field.path for field in every_field()} == leaves(Profile().model_dump())
    assert all(field.help for field in every_field())
    assert [section.title for section in sections()] == [
        "",
        "transcription",
        "vad",
        "wake word",
        "audio",
    ]


def test_each_kind_of_value_has_its_kind_of_field() -> None:
    kinds = {name: field.kind for name, field in FIELDS.items()}
    assert kinds["vad.enabled"] == "switch"
    assert kinds["vad.detector_type"] == "choice"
    assert kinds["vad.parameters.frame_duration_ms"] == "choice"
    assert kinds["vad.sensitivity"] == kinds["vad.parameters.silero_threshold"] == "number"
    assert kinds["audio.channel"] == "whole"
    assert kinds["wake_word.words"] == "list"
    assert kinds["transcription.options"] == "json"
    assert kinds["audio.device"] == kinds["transcription.model"] == "text"


def test_unit_range_and_default_come_from_the_schema() -> None:
    silence = FIELDS["vad.min_silence_duration"]
    assert (silence.bounds, silence.standard, silence.unit) == ("0.1 - 10 s", "0.7", "s")
    assert FIELDS["vad.detector_type"].choices == ("combined", "silero", "webrtc")
    assert FIELDS["transcription.fallback"].choices == ("auto", "mlx_whisper", "pocketsphinx", None)
    assert FIELDS["transcription.model"].optional
    assert not FIELDS["vad.sensitivity"].optional


@pytest.mark.parametrize("name", FIELDS)
def test_every_default_survives_being_shown_and_read(name: str) -> None:
    field = FIELDS[name]
    if field.kind in ("switch", "choice", "list"):
        return  # They have controls of their own, not text.
    assert read(field, shown(field, field.default)) == field.default


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("vad.sensitivity", " 0.5 ", 0.5),
        ("vad.sensitivity", "1", 1),
        ("vad.sensitivity", "loud", "loud"),
        ("vad.sensitivity", "", 0.6),
        ("vad.parameters.silero_threshold", "", None),
        ("audio.device", "3", 3),
        ("audio.device", "USB [/]", "USB [/]"),
        ("transcription.options", '{"a": [1]}', {"a": [1]}),
        ("transcription.language", "12", "12"),
    ],
)
def test_text_means_what_it_says(name: str, text: str, value: object) -> None:
    assert read(FIELDS[name], text) == value


def test_what_is_no_json_says_so() -> None:
    with pytest.raises(ValueError, match="not JSON"):
        read(FIELDS["transcription.options"], "{")


@pytest.mark.parametrize(
    ("name", "text", "steps", "after"),
    [
        ("vad.sensitivity", "0.6", 1, "0.65"),
        ("vad.sensitivity", "0.98", 1, "1"),
        ("vad.sensitivity", "0.02", -1, "0"),
        ("vad.min_silence_duration", "0.7", 3, "1"),
        ("vad.parameters.webrtc_aggressiveness", "", 1, "1"),
        ("vad.sensitivity", "loud", 1, "0.05"),
    ],
)
def test_a_number_is_turned_within_its_range(name: str, text: str, steps: int, after: str) -> None:
    assert turned(FIELDS[name], text, steps) == after


def test_faults_stand_under_their_fields() -> None:
    profile, faults = check(
        {
            "vad": {"sensitivity": 7, "parameters": {"silero_threshold": "x"}},
            "audio": {"device": 2.5},
            "wake_word": {"words": ["a", 3]},
        }
    )
    assert profile is None
    assert set(faults) == {
        ("vad", "sensitivity"),
        ("vad", "parameters", "silero_threshold"),
        ("audio", "device"),
        ("wake_word", "words"),
    }
    assert "less than or equal to 1" in faults["vad", "sensitivity"]


def test_what_concerns_the_whole_has_no_field() -> None:
    _, faults = check({"transcription": {"auto_start": False}})
    assert list(faults) == [()]
    assert "wake_word.enabled" in faults[()]


@pytest.mark.parametrize("name", BUILTIN)
def test_a_sparse_profile_is_the_same_profile(name: str) -> None:
    profile = BUILTIN[name]
    assert sparse(profile) == profile
    assert sparse(profile).model_dump(exclude_unset=True) == profile.model_dump(
        exclude_defaults=True
    )


@pytest.mark.parametrize("name", BUILTIN)
def test_changes_laid_over_one_profile_give_the_other(name: str) -> None:
    before, after = BUILTIN["vad-triggered"], BUILTIN[name]
    config = before.model_dump()
    for field, old, new in differences(before, after):
        assert get(config, field.path) == old
        put(config, field.path, new)
    assert Profile.model_validate(config) == after
    only = {("vad", "sensitivity")}
    assert set(changes(before, after, only)) <= {"vad"}


def test_another_engine_is_told_with_the_model_and_options_that_are_shown() -> None:
    shown = {"model": "tiny", "options": {"beam_size": 2}}
    before = merged(Profile(), {"transcription": {"engine": "openai", **shown}})
    after = merged(before, {"transcription": {"engine": "mlx_whisper"}})
    only = {("transcription", "engine")}
    wanted = {"transcription": {"engine": "mlx_whisper", **shown}}
    assert changes(before, after) == changes(before, after, only) == wanted
    assert changed(before, wanted) == after


def test_an_engine_that_reads_the_same_models_leaves_the_model_as_it_is_there() -> None:
    there = merged(Profile(), {"transcription": {"model": "large", "fallback": "auto"}})
    here = merged(Profile(), {"transcription": {"engine": "mlx_whisper", "fallback": "auto"}})
    only = {("transcription", "engine")}
    assert changes(there, here, only) == {"transcription": {"engine": "mlx_whisper"}}


def test_a_field_names_its_widget() -> None:
    assert Field(("vad", "sensitivity"), "number", "", 0.5).id == "vad-sensitivity"
