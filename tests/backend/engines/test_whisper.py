"""Whisper driven for realtime: the real model, and what it is spared."""

from collections.abc import Iterator

import numpy as np
import pytest

from backend.engines import Audio
from tests.backend.engines.sound import TINY, silence, spoken

whisper = pytest.importorskip("backend.engines.whisper", reason="MLX is not installed")
mx = pytest.importorskip("mlx.core")

from backend.engines.whisper import LEAST_CONTEXT, Asked, Spectrogram, Whisper  # noqa: E402

ENGLISH = Asked(language="en")


@pytest.fixture(scope="module")
def model() -> Iterator[Whisper]:
    return whisper.load(TINY, mx.float32)


@pytest.mark.parametrize("asked", [ENGLISH, Asked(), Asked(words=True), Asked(brief=True)])
def test_a_window_is_encoded_once(model: Whisper, asked: Asked) -> None:
    before = model.encoded
    (passage,) = model.read(f"{asked}", spoken("turn the lights on"), asked)
    assert passage.text == "turn the lights on"
    assert model.encoded == before + 1
    assert len(passage.words) == (4 if asked.words else 0)


def test_a_loop_is_read_again_without_encoding_again(model: Whisper) -> None:
    before = model.encoded
    # One token over and over compresses well: every temperature is tried.
    asked = Asked(language="en", options={"suppress_tokens": [50257], "without_timestamps": True})
    (passage,) = model.read("a", spoken("hello world"), asked)
    assert passage.tokens > 10
    assert model.encoded == before + 1


def test_the_same_sound_read_otherwise_is_not_encoded_again(model: Whisper) -> None:
    sound, before = spoken("hello world"), model.encoded
    for asked in (ENGLISH, Asked(language="en", prompt="good morning"), Asked(words=True)):
        model.read("b", sound, asked)
    assert model.encoded == before + 1
    model.read("c", sound, ENGLISH)
    assert model.encoded == before + 2


def test_the_spectrogram_grows_and_is_the_same_as_made_at_once() -> None:
    sound = spoken("what time is it")
    growing, whole = Spectrogram(80), Spectrogram(80)
    for length in (3000, 3100, 9000, 16_001, len(sound)):
        mel = growing.of("a", sound[:length])
        assert mel.shape == (length // 160, 80)
    assert np.allclose(np.array(mel), np.array(whole.of("b", sound)), atol=1e-4)
    assert whole.computed <= growing.computed < 1.2 * whole.computed


def test_another_utterance_or_another_sound_is_made_anew() -> None:
    made = Spectrogram(80)
    sound = spoken("hello world")
    made.of("a", sound)
    count = made.computed
    made.of("b", sound)
    assert made.computed == 2 * count
    changed = sound.copy()
    changed[100] += 1
    made.of("b", changed)
    assert made.computed == 3 * count


@pytest.mark.parametrize("length", [0, 1, 159, 160, 200, 401, 16_000])
def test_the_spectrogram_is_the_package_s_own(length: int) -> None:
    from mlx_whisper.audio import N_SAMPLES, log_mel_spectrogram

    sound = spoken("hello world")[8000 : 8000 + length]
    mel = Spectrogram(80).of("a", sound)
    assert mel.shape[0] == len(sound) // 160
    if length > 200:  # Shorter ones the package can't mirror.
        theirs = log_mel_spectrogram(sound.astype(np.float32) / 32768, padding=N_SAMPLES)
        assert np.allclose(np.array(mel), np.array(theirs)[: len(sound) // 160], atol=1e-3)


def test_a_partial_is_encoded_no_longer_than_it_is() -> None:
    assert Whisper._context(100) == LEAST_CONTEXT
    assert Whisper._context(1000) == 525
    assert Whisper._context(3000) == 1500


def test_more_than_a_window_is_read_window_by_window(model: Whisper) -> None:
    def at(seconds: float, words: str) -> Audio:
        sound = spoken(words)
        return np.concatenate([sound, silence(seconds - len(sound) / 16_000)])

    long = np.concatenate([at(30, "hello world"), spoken("turn the lights on")])
    before = model.encoded
    passages = model.read("a", long, Asked(language="en", words=True))
    assert [passage.text for passage in passages][-1].endswith("turn the lights on")
    assert passages[0].text.startswith("hello world")
    assert model.encoded - before == len(passages)
    assert passages[-1].words[-1].end > 30


def test_nothing_is_read_of_nothing(model: Whisper) -> None:
    assert model.read("a", silence(0), ENGLISH) == []
