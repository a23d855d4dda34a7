"""Which settings of a session want a new start: the rest change while it listens."""

from typing import Any

import pytest

from backend.problems import Problem
from backend.tuning import FIXED, changed, fixed_changes, wants_restart
from common.profile import Profile, merged


def test_vad_gain_and_engine_settings_change_while_it_listens() -> None:
    after = merged(
        Profile(),
        {
            "description": "louder",
            "vad": {"sensitivity": 0.9, "enabled": False},
            "audio": {"gain": 2.0},
            "transcription": {"language": "de", "partials": False, "options": {"beam": 5}},
        },
    )
    assert fixed_changes(Profile(), after) == []


def test_another_microphone_and_wake_words_want_a_new_start() -> None:
    after = merged(
        Profile(), {"audio": {"device": "USB", "source": "file:a.wav"}, "wake_word": {"timeout": 5}}
    )
    assert fixed_changes(Profile(), after) == [
        "audio.device",
        "audio.source",
        "wake_word.timeout",
    ]


@pytest.mark.parametrize(
    ("before", "changes", "model"),
    [
        ({"engine": "mlx_whisper", "model": "tiny"}, {"engine": "pocketsphinx"}, None),
        ({"engine": "openai", "model": "whisper-1"}, {"engine": "auto"}, None),
        ({"engine": "openai", "model": "whisper-1"}, {"engine": "mlx_whisper"}, None),
        ({"engine": "mlx_whisper", "model": "tiny"}, {"engine": "mlx_whisper"}, "tiny"),
        ({"engine": "auto", "model": "tiny"}, {"engine": "mlx_whisper"}, "tiny"),
        ({"engine": "mlx_whisper", "model": "tiny"}, {"engine": "auto"}, "tiny"),
        ({"engine": "mlx_whisper", "model": "tiny"}, {"words": True}, "tiny"),
        ({"model": "tiny"}, {"engine": "openai", "model": "whisper-1"}, "whisper-1"),
    ],
)
def test_another_engine_comes_without_the_model_of_the_one_before(
    before: dict[str, Any], changes: dict[str, Any], model: str | None
) -> None:
    profile = merged(Profile(), {"transcription": before})
    assert changed(profile, {"transcription": changes}).transcription.model == model


def test_another_fallback_comes_without_the_model_of_the_one_before() -> None:
    whisper = {"fallback": "mlx_whisper", "fallback_model": "tiny"}
    profile = merged(Profile(), {"transcription": whisper})
    other = changed(profile, {"transcription": {"fallback": "pocketsphinx"}})
    assert other.transcription.fallback_model is None
    assert changed(profile, {"transcription": {"fallback": "auto"}}) == merged(
        profile, {"transcription": {"fallback": "auto"}}
    )
    none_yet = merged(Profile(), {"transcription": {"fallback_model": "tiny"}})
    kept = changed(none_yet, {"transcription": {"fallback": "mlx_whisper"}})
    assert kept.transcription.fallback_model == "tiny"


def test_another_engine_comes_without_the_options_of_the_one_before() -> None:
    whisper = {"engine": "mlx_whisper", "options": {"temperature": 0, "beam_size": 2}}
    profile = merged(Profile(), {"transcription": whisper})
    other = changed(profile, {"transcription": {"engine": "pocketsphinx"}})
    assert other.transcription.options == {}
    same = changed(profile, {"transcription": {"engine": "auto", "options": {"beam_size": 3}}})
    assert same.transcription.options == {"temperature": 0, "beam_size": 3}


@pytest.mark.parametrize("nonsense", [5, None, {"engine": ["auto"]}, {"engine": {"auto": 1}}])
def test_what_is_no_transcription_is_refused(nonsense: Any) -> None:
    with pytest.raises(Problem, match="transcription"):
        changed(Profile(), {"transcription": nonsense})


def test_every_fixed_setting_is_one_of_the_profile() -> None:
    for section, names in FIXED.items():
        part = type(getattr(Profile(), section))
        assert set(names) <= set(part.model_fields)


def test_the_refusal_says_how_to_get_past_it() -> None:
    assert "restart" in wants_restart(["audio.device"], own=True).details
    assert "open another" in wants_restart(["audio.device"], own=False).details
