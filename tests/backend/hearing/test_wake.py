"""Detectors of wake words on real speech, and what they say where they can't listen."""

import numpy as np
import pytest
import soundfile
from pydantic import ValidationError

from backend.hearing import FRAME, RATE, Samples
from backend.hearing import spotters as wakes
from backend.hearing.spotters import Gate, Spotter, WakeError
from backend.hearing.vad import Combined
from backend.hearing.wake import Choice, choose, make
from common.profile import VadPart, WakeWordPart
from tests.running import SPEECH

BOTH = "openwakeword+pocketsphinx"

needs_speech = pytest.mark.skipif(
    not SPEECH.is_dir(), reason="no recordings of real speech on this machine"
)


def part(*words: str, detector: str = "auto", sensitivity: float = 0.7) -> WakeWordPart:
    given = {"enabled": True, "words": list(words), "detector": detector}
    return WakeWordPart.model_validate({**given, "sensitivity": sensitivity})


def words_in(spotter: Spotter, name: str) -> set[str]:
    sound: Samples = soundfile.read(SPEECH / name, dtype="int16")[0]
    quiet = np.random.default_rng(1).normal(0, 2, RATE).astype(np.int16)
    whole = np.concatenate([quiet, sound, quiet, quiet])
    vad = Combined(VadPart())
    frames = whole[: len(whole) // FRAME * FRAME].reshape(-1, FRAME)
    found = [spotter(frame, vad(frame).speech) for frame in frames]
    return {one[0] for one in found if one}


@pytest.mark.parametrize(
    ("detector", "word", "clip"),
    [
        ("openwakeword", "jarvis", "ww-jarvis-14661979.flac"),
        ("openwakeword", "Alexa", "ww-alexa-222.flac"),
        ("microwakeword", "hey jarvis", "ww-hey_jarvis-1.flac"),
        ("pocketsphinx", "jarvis", "ww-jarvis-0910b8f1.flac"),
        ("pocketsphinx", "computer", "ww-computer-300d0e75.flac"),
    ],
)
@needs_speech
def test_a_word_is_spotted_and_told_as_the_profile_spells_it(
    detector: str, word: str, clip: str
) -> None:
    settings = part(word, detector=detector)
    spotter = make(settings, choose(settings, "pocketsphinx"))
    assert spotter
    assert words_in(spotter, clip) == {word}
    assert words_in(spotter, "en-cards-002.flac") == set()


def test_the_gate_lets_nothing_through_until_speech_is_suspected() -> None:
    gate = Gate()
    frames = [np.full(FRAME, number, np.int16) for number in range(200)]
    assert not any(list(gate(frame, 0.0)) for frame in frames[:100])
    burst = [int(frame[0]) for frame in gate(frames[100], 0.5)]
    assert burst == list(range(100 - round(wakes.LOOK_BACK * RATE / FRAME), 101))
    after = [int(frame[0]) for one in frames[101:] for frame in gate(one, 0.0)]
    assert after == list(range(101, 101 + len(after)))
    assert len(after) == pytest.approx(wakes.LINGER * RATE / FRAME, abs=1.5)


def test_auto_takes_what_knows_the_words(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in wakes.KEYS:
        monkeypatch.delenv(name, raising=False)
    assert choose(part("Jarvis"), "mlx_whisper").name == BOTH
    assert choose(part("Alexa"), "mlx_whisper").name == "microwakeword"
    assert choose(part("jarvis", "Alexa"), "mlx_whisper").name == f"{BOTH}+microwakeword"
    assert choose(part("jarvis", "computer"), "mlx_whisper").name == "transcript"
    assert choose(part("computer"), "pocketsphinx").name == "pocketsphinx"
    assert choose(part("schnurzel"), "pocketsphinx").name == "transcript"
    monkeypatch.setenv("PICOVOICE_ACCESS_KEY", "a key")
    assert choose(part("jarvis"), "mlx_whisper").name == "porcupine"
    assert choose(part("hey jarvis"), "mlx_whisper").name == BOTH


def test_porcupine_without_a_key_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in wakes.KEYS:
        monkeypatch.delenv(name, raising=False)
    settings = part("jarvis", detector="porcupine")
    with pytest.raises(WakeError, match="PORCUPINE_ACCESS_KEY"):
        make(settings, choose(settings, "mlx_whisper"))


def test_porcupine_refuses_a_malformed_key_without_telling_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PORCUPINE_ACCESS_KEY", "sesame-open")
    settings = part("jarvis", detector="porcupine")
    with pytest.raises(WakeError, match="porcupine refuses") as refused:
        make(settings, choose(settings, "mlx_whisper"))
    assert "sesame" not in str(refused.value)


@pytest.mark.parametrize("detector", ["openwakeword", "microwakeword", "pocketsphinx"])
def test_a_word_that_a_detector_does_not_know_is_refused_with_the_cure(detector: str) -> None:
    settings = part("schnurzel", detector=detector)
    with pytest.raises(WakeError, match=r"schnurzel.*transcript"):
        make(settings, choose(settings, "mlx_whisper"))


@pytest.mark.parametrize("package", ["pyopen_wakeword", "pymicro_wakeword"])
def test_a_missing_package_is_told_with_its_cure(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wakes, "installed", lambda *names: package not in names)
    detector = "openwakeword" if "open" in package else "microwakeword"
    settings = part("jarvis", detector=detector)
    with pytest.raises(WakeError, match=r"pip install"):
        make(settings, choose(settings, "mlx_whisper"))


@needs_speech
def test_a_word_no_dictionary_has_is_spotted_by_the_phones_given() -> None:
    given = part("jarviss", detector="pocketsphinx")
    with pytest.raises(WakeError, match=r"'jarviss': give its phones in wake_word\.pronunciations"):
        make(given, choose(given, "pocketsphinx"))
    spelled = given.model_copy(update={"pronunciations": {"Jarviss": "JH AA R V AH S"}})
    spotter = make(spelled, choose(spelled, "pocketsphinx"))
    assert spotter
    assert words_in(spotter, "ww-jarvis-0910b8f1.flac") == {"jarviss"}


@pytest.mark.parametrize("phones", ["", "J A", "JH  AA", "jh aa", "JHAA", "JH AA1"])
def test_phones_that_are_none_are_refused(phones: str) -> None:
    with pytest.raises(ValidationError, match="pronunciations"):
        WakeWordPart(pronunciations={"x": phones})


@needs_speech
def test_auto_hears_a_jarvis_that_one_detector_alone_would_miss() -> None:
    settings = part("jarvis")
    choice = choose(settings, "mlx_whisper")
    assert choice.name == BOTH
    spotter = make(settings, choice)
    assert spotter
    clips = ("ww-jarvis-7e139bd8.flac", "ww-jarvis-210b5eb1.flac")
    assert [words_in(spotter, clip) for clip in clips] == [{"jarvis"}, {"jarvis"}]
    several = part("Jarvis", "Alexa")
    spotter = make(several, choose(several, "mlx_whisper"))
    assert spotter
    assert words_in(spotter, "ww-alexa-222.flac") == {"Alexa"}
    assert words_in(spotter, clips[1]) == {"Jarvis"}
    alone = make(settings, Choice("openwakeword", ""))
    assert alone
    assert words_in(alone, clips[0]) == set()
