"""Which settings of a session want a new start: the rest change while it listens."""

from backend.tuning import FIXED, fixed_changes, wants_restart
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


def test_every_fixed_setting_is_one_of_the_profile() -> None:
    for section, names in FIXED.items():
        part = type(getattr(Profile(), section))
        assert set(names) <= set(part.model_fields)


def test_the_refusal_says_how_to_get_past_it() -> None:
    assert "restart" in wants_restart(["audio.device"], own=True).details
    assert "open another" in wants_restart(["audio.device"], own=False).details
