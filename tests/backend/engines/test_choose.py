from pathlib import Path

import pytest

from backend.engines import EngineError
from backend.engines import choose as module
from backend.engines.choose import APPLE_MODEL, CPU_MODEL, choose, fallback
from common.profile import TranscriptionPart


@pytest.fixture(autouse=True)
def plain_linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every test begin on Linux, with mlx_whisper and an empty cache."""
    here(monkeypatch, apple=False, installed=True)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))


def here(monkeypatch: pytest.MonkeyPatch, *, apple: bool, installed: bool) -> None:
    monkeypatch.setattr(module.mlx, "apple_silicon", lambda: apple)
    monkeypatch.setattr(module.mlx, "installed", lambda: installed)


def part(**given: str) -> TranscriptionPart:
    return TranscriptionPart.model_validate(given)


def test_auto_takes_whisper_where_a_model_is_named():
    choice = choose(part(model="tiny"))
    assert (choice.engine.name, choice.engine.model) == (
        "mlx_whisper",
        "mlx-community/whisper-tiny",
    )


def test_auto_takes_the_large_turbo_on_apple_silicon(monkeypatch: pytest.MonkeyPatch):
    here(monkeypatch, apple=True, installed=True)
    choice = choose(part())
    assert (choice.engine.model, choice.engine.device) == (APPLE_MODEL, "gpu")
    assert "Apple Silicon" in choice.reason


def test_auto_takes_the_base_model_elsewhere_if_it_is_cached(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "cached", lambda model: Path("/cache"))
    assert choose(part()).engine.model == CPU_MODEL


def test_auto_falls_back_where_nothing_is_cached():
    choice = choose(part())
    assert choice.engine.name == "pocketsphinx"
    assert "no model is named (transcription.model)" in choice.reason


def test_auto_falls_back_and_says_how_to_install(monkeypatch: pytest.MonkeyPatch):
    here(monkeypatch, apple=False, installed=False)
    choice = choose(part(model="tiny"))
    assert choice.engine.name == "pocketsphinx"
    assert choice.reason.startswith(
        "auto: mlx_whisper is not installed (pip install 'realtime-mlx-stt[mlx-cpu]'); using"
    )


def test_a_failed_load_falls_back_under_auto():
    choice = fallback(part(model="tiny"), EngineError("the hub is away"))
    assert choice is not None
    assert choice.engine.name == "pocketsphinx"
    assert "the hub is away" in choice.reason


def test_the_fallback_has_no_fallback():
    assert fallback(part(), EngineError("broken")) is None


def test_an_engine_asked_for_by_name_never_falls_back():
    assert fallback(part(engine="mlx_whisper", model="tiny"), EngineError("broken")) is None


def test_an_engine_asked_for_by_name_must_be_installed(monkeypatch: pytest.MonkeyPatch):
    here(monkeypatch, apple=False, installed=False)
    with pytest.raises(EngineError, match="pip install"):
        choose(part(engine="mlx_whisper"))


def test_pocketsphinx_has_one_model():
    assert choose(part(engine="pocketsphinx")).reason == "asked for by name"
    with pytest.raises(EngineError, match="one model"):
        choose(part(engine="pocketsphinx", model="tiny"))


def test_openai_wants_a_key(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(EngineError, match="export OPENAI_API_KEY="):
        choose(part(engine="openai"))


def test_openai_s_default_streams_unless_only_whisper_can_do_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-anything")
    models = [
        choose(TranscriptionPart.model_validate({"engine": "openai", **wish})).engine.model
        for wish in ({}, {"words": True}, {"task": "translate"}, {"model": "gpt-4o-transcribe"})
    ]
    assert models == ["gpt-live-transcribe", "whisper-1", "whisper-1", "gpt-4o-transcribe"]


def test_auto_never_sends_sound_away(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-anything")
    assert choose(part()).engine.name == "pocketsphinx"
    assert choose(part(model="tiny")).engine.name == "mlx_whisper"


def test_a_fallback_that_is_named_is_taken_for_any_engine():
    asked = part(engine="openai", fallback="mlx_whisper", fallback_model="tiny")
    choice = fallback(asked, EngineError("the network is away"))
    assert choice is not None
    assert (choice.engine.name, choice.engine.model) == (
        "mlx_whisper",
        "mlx-community/whisper-tiny",
    )
    assert choice.reason == "the fallback, for the network is away"


def test_a_fallback_that_cannot_be_had_hides_no_fault(monkeypatch: pytest.MonkeyPatch):
    here(monkeypatch, apple=False, installed=False)
    assert fallback(part(fallback="mlx_whisper"), EngineError("broken")) is None


def test_nothing_that_reads_english_only_is_taken_for_german():
    with pytest.raises(EngineError, match=r"no model is named.*reads English only, not 'de'"):
        choose(part(language="de"))
    assert fallback(part(language="de", model="tiny"), EngineError("the hub is away")) is None
