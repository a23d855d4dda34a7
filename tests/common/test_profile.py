import pytest

from common.profile import BUILTIN, DEFAULT, NAME, BadProfile, Profile, merged, parse

SEED_VAD_TRIGGERED = {
    "description": "VAD-triggered transcription - only transcribe when speech is detected",
    "transcription": {"auto_start": True},
    "vad": {
        "detector_type": "combined",
        "sensitivity": 0.6,
        "enabled": True,
        "min_speech_duration": 0.25,
    },
    "wake_word": {"enabled": False},
}
SEED_WAKE_WORD = {
    "description": "Wake word activated - say 'jarvis' to start listening",
    "transcription": {"auto_start": False},
    "vad": {"detector_type": "combined", "sensitivity": 0.6, "enabled": True},
    "wake_word": {"enabled": True, "words": ["jarvis"], "sensitivity": 0.7, "timeout": 30},
}
SEED_CUSTOM = {
    "description": "High sensitivity for noisy environments",
    "vad": {"sensitivity": 0.8, "min_speech_duration": 0.5},
    "transcription": {"language": "en"},
}


def test_the_reference_json_is_accepted_as_it_stands() -> None:
    assert parse(SEED_VAD_TRIGGERED) == BUILTIN["vad-triggered"]
    assert parse(SEED_WAKE_WORD) == BUILTIN["wake-word"]
    assert parse(SEED_CUSTOM).vad.sensitivity == 0.8


def test_the_default_profile_is_built_in() -> None:
    assert DEFAULT in BUILTIN
    assert all(NAME.fullmatch(name) for name in BUILTIN)


def test_changes_are_laid_deeply_over_a_profile() -> None:
    changed = merged(BUILTIN["wake-word"], {"vad": {"parameters": {"webrtc_aggressiveness": 2}}})
    assert changed.vad.parameters.webrtc_aggressiveness == 2
    assert changed.vad.sensitivity == 0.6
    assert changed.wake_word == BUILTIN["wake-word"].wake_word
    assert BUILTIN["wake-word"].vad.parameters.webrtc_aggressiveness is None


def test_every_fault_is_named_with_its_path() -> None:
    with pytest.raises(BadProfile) as caught:
        merged(Profile(), {"vad": {"sensitivity": 7, "loudness": 1}, "audio": {"gain": 0}})
    text = str(caught.value)
    assert "vad.sensitivity: " in text
    assert "(got 7)" in text
    assert "vad.loudness: " in text
    assert "audio.gain: " in text


@pytest.mark.parametrize(
    "config",
    [
        [],
        None,
        "vad",
        {"vad": 3},
        {"vad": {"sensitivity": float("nan")}},
        {"vad": {"max_utterance": float("inf")}},
        {"wake_word": {"words": []}},
        {"wake_word": {"words": [" "]}},
        {"wake_word": {"words": ["jarvis\nalexa"]}},
        {"audio": {"source": "http://example.org/a.wav"}},
        {"audio": {"channel": 0}},
        {"audio": {"channel": "left"}},
        {"transcription": {"language": "english"}},
    ],
)
def test_what_makes_no_sense_is_refused(config: object) -> None:
    with pytest.raises(BadProfile):
        parse(config)


def test_a_profile_that_would_never_transcribe_is_refused() -> None:
    with pytest.raises(BadProfile, match="nothing would ever be transcribed"):
        parse({"transcription": {"auto_start": False}})


def test_the_schema_tells_what_each_setting_means() -> None:
    schema = Profile.model_json_schema()
    vad = schema["$defs"]["VadPart"]["properties"]
    assert "higher hears more" in vad["sensitivity"]["description"]
    assert "Seconds" in vad["min_silence_duration"]["description"]
    assert vad["sensitivity"]["maximum"] == 1
