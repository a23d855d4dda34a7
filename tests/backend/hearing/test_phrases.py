"""Phrases at the beginning of what an engine made of them."""

import pytest

from backend.hearing.phrases import beginning, least_likeness


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("jarvis turn the lights on", "turn the lights on"),
        ("Hey Jarvis, turn the lights on!", "turn the lights on!"),
        ("Jarvis.", ""),
        ("Jarves what time is it", "what time is it"),
        ("Jar vis, what time is it", "what time is it"),
        ("The Jarvis… yes", "yes"),
    ],
)
def test_a_phrase_is_found_by_its_sound_and_taken_off(text: str, rest: str) -> None:
    match = beginning(text, ["jarvis"], 0.7)
    assert match
    assert (match.phrase, match.rest) == ("jarvis", rest)


@pytest.mark.parametrize(
    "text", ["", "turn the lights on", "I told jarvis so", "java is a language", "travis is here"]
)
def test_what_does_not_begin_with_it_does_not_match(text: str) -> None:
    assert beginning(text, ["jarvis"], 0.7) is None


def test_of_several_phrases_the_likest_is_taken() -> None:
    match = beginning("ok computer play", ["commuter", "computer"], 1)
    assert match
    assert (match.phrase, match.likeness, match.rest) == ("computer", 1.0, "play")


def test_a_phrase_of_several_words_in_any_script() -> None:
    match = beginning("Привет, дом! Включи свет", ["привет дом"], 0.7)
    assert match
    assert match.rest == "Включи свет"
    assert beginning("Élodie, ouvre", ["elodie"], 0) is not None


@pytest.mark.parametrize(
    ("text", "phrase", "rest"),
    [
        ("ジャービス、電気をつけて。", "ジャービス", "電気をつけて。"),
        ("ジャービズ電気をつけて", "ジャービス", "電気をつけて"),
        ("贾维斯打开灯", "贾维斯", "打开灯"),
        ("จาร์วิสเปิดไฟ", "จาร์วิส", "เปิดไฟ"),
    ],
)
def test_a_phrase_is_found_where_no_spaces_part_the_words(
    text: str, phrase: str, rest: str
) -> None:
    match = beginning(text, [phrase], 0.7)
    assert match
    assert match.rest == rest


def test_what_has_no_letters_is_no_phrase() -> None:
    assert beginning("... lights on", ["!!!"], 1) is None


def test_a_higher_sensitivity_asks_for_less() -> None:
    wanted = [least_likeness(step / 10) for step in range(11)]
    assert wanted == sorted(wanted, reverse=True)
    assert beginning("jarvis", ["jarvis"], 0)
    assert not beginning("harvest", ["jarvis"], 0)
