import pytest

from backend.engines.openai_models import (
    LIVE,
    OFFERED,
    WHISPER,
    Abilities,
    abilities,
    language_code,
)


def test_the_default_streams_and_has_a_model_for_recordings() -> None:
    assert abilities(LIVE).streams
    assert abilities(LIVE).for_files == "gpt-transcribe"
    assert abilities("gpt-transcribe").for_files is None


def test_a_snapshot_can_what_its_model_can() -> None:
    assert abilities("gpt-4o-mini-transcribe-2025-12-15") == abilities("gpt-4o-mini-transcribe")
    assert not abilities("gpt-4o-transcribe-diarize").streams


def test_only_whisper_tells_words_and_translates() -> None:
    assert [name for name in OFFERED if abilities(name).words] == [WHISPER]
    assert [name for name in OFFERED if abilities(name).translates] == [WHISPER]


def test_of_others_models_only_what_is_safe_is_asked() -> None:
    assert abilities("Systran/faster-whisper-small") == abilities(WHISPER)
    assert abilities("voxtral-mini") == Abilities(words=True)


@pytest.mark.parametrize(
    ("name", "code"),
    [("english", "en"), ("German", "de"), ("fr", "fr"), ("klingonese", None), ("", None)],
)
def test_languages_have_codes(name: str, code: str | None) -> None:
    assert language_code(name) == code
