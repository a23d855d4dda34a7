"""What the wake word lets through, decided on utterances of our own making."""

import numpy as np
import pytest

from backend.hearing import RATE
from backend.hearing.heard import Utterance
from backend.hearing.wake import Choice, Spotted
from backend.waking import Waking
from common.events import Event, WakeWord, WakeWordTimeout
from common.profile import WakeWordPart

PART = WakeWordPart.model_validate({"enabled": True, "words": ["jarvis"], "timeout": 5})


def utterance(number: int, start: float, seconds: float = 2) -> Utterance:
    audio = np.arange(round((seconds + 0.8) * RATE)).astype(np.int16)
    return Utterance(number, start, start + seconds, start - 0.8, audio, cut=False)


def waking(detector: str, told: list[Event], part: WakeWordPart = PART) -> Waking:
    return Waking(part, Choice(detector, "asked"), always=False, tell=told.append)


def test_a_detector_that_heard_nothing_has_nothing_read() -> None:
    assert not waking("openwakeword", []).reads(utterance(1, 1))
    assert waking("transcript", []).reads(utterance(1, 1))


def test_the_word_alone_leaves_it_awake_for_the_next_utterance() -> None:
    told: list[Event] = []
    one = waking("openwakeword", told)
    one.spot(Spotted("jarvis", 0.9, 2.0, 1))
    alone, command, later = utterance(1, 1), utterance(2, 4), utterance(3, 8)
    assert one.reads(alone)
    assert one.rest(alone, "Jarvis.") == ""
    one.answered(alone, "")
    assert one.reads(command)
    assert one.rest(command, "lights on") == "lights on"
    one.answered(command, "lights on")
    assert not one.reads(later)
    assert [type(event) for event in told] == [WakeWord]


def test_a_word_that_the_engine_misread_is_left_out_by_its_sound() -> None:
    one = waking("openwakeword", [])
    said = utterance(1, 1)
    one.spot(Spotted("jarvis", 0.9, 1.7, 1))
    assert one.rest(said, "her service lights on") is None
    after = one.sound_after(said)
    assert after is not None
    assert len(after) == len(said.audio) - round((1.7 - said.audio_start) * RATE)
    assert after[0] == said.audio[-len(after)]


def test_a_word_at_the_end_leaves_nothing_to_read_again() -> None:
    one = waking("openwakeword", [])
    one.spot(Spotted("jarvis", 0.9, 2.9, 1))
    assert one.sound_after(utterance(1, 1)) is None


def test_one_word_is_told_once() -> None:
    told: list[Event] = []
    one = waking("openwakeword", told)
    for end in (1.0, 1.1, 1.2):
        one.spot(Spotted("jarvis", 0.9, end, 1))
    assert len(told) == 1
    one.spot(Spotted("jarvis", 0.9, 3.0, 1))
    assert len(told) == 2


def test_the_transcript_wakes_it_at_its_first_partial_and_once() -> None:
    told: list[Event] = []
    one, said = waking("transcript", told), utterance(1, 1)
    assert one.rest(said, "nothing of the kind") is None
    assert one.rest(said, "jarvis lights") == "lights"
    assert one.rest(said, "jarvis lights on") == "lights on"
    assert len(told) == 1
    assert one.status().awake


def test_nobody_speaks_in_time() -> None:
    told: list[Event] = []
    one = waking("openwakeword", told)
    one.spot(Spotted("jarvis", 0.9, 1.0, None))
    one.look_at_the_time(6.0)
    assert not any(isinstance(event, WakeWordTimeout) for event in told)
    one.look_at_the_time(6.1)
    one.look_at_the_time(6.2)
    assert sum(isinstance(event, WakeWordTimeout) for event in told) == 1
    assert not one.reads(utterance(2, 7))


@pytest.mark.parametrize("detector", ["openwakeword", "transcript"])
def test_where_everything_is_transcribed_the_word_is_only_told(detector: str) -> None:
    told: list[Event] = []
    one = Waking(PART, Choice(detector, "asked"), always=True, tell=told.append)
    one.spot(Spotted("jarvis", 0.9, 1.0, 1))
    assert one.reads(utterance(2, 100))
    assert one.rest(utterance(1, 0.5), "jarvis lights on") == "jarvis lights on"
    assert isinstance(told[0], WakeWord)


def piece(number: int, start: float, end: float, *, cut: bool) -> Utterance:
    audio = np.zeros(round((end - start) * RATE), np.int16)
    return Utterance(number, start, end, start, audio, cut)


def test_what_is_cut_off_for_its_length_goes_on_past_the_timeout() -> None:
    told: list[Event] = []
    one = waking("openwakeword", told)
    one.spot(Spotted("jarvis", 0.9, 1.0, 1))
    first, second, third = piece(1, 0, 10, cut=True), piece(2, 10, 19, cut=False), utterance(3, 21)
    assert one.reads(first)
    assert one.reads(second)
    assert one.rest(first, "jarvis write a letter") == "write a letter"
    one.answered(first, "write a letter")
    one.forget(first)
    assert one.rest(second, "jarvis is its name") == "jarvis is its name"
    one.answered(second, "jarvis is its name")
    one.forget(second)
    assert not one.reads(third)
    one.look_at_the_time(60)
    assert [type(event) for event in told] == [WakeWord]


def test_what_is_cut_off_and_not_for_us_does_not_go_on() -> None:
    one = waking("transcript", [])
    first, second = piece(1, 0, 10, cut=True), piece(2, 10, 19, cut=False)
    for said in (first, second):
        assert one.rest(said, "nothing of the kind") is None
        one.answered(said, "")
        one.forget(said)


def test_an_answer_may_follow_one_that_is_still_being_read() -> None:
    one = waking("openwakeword", [], PART.model_copy(update={"follow_up": 3.0}))
    one.spot(Spotted("jarvis", 0.9, 1.0, 1))
    first, second, late = utterance(1, 0.5, 8), utterance(2, 10), utterance(3, 16)
    for said in (first, second, late):
        assert one.reads(said)
    for said, text in ((first, "lights on"), (second, "and the fan")):
        assert one.rest(said, text) == text if said is second else one.sound_after(said) is not None
        one.answered(said, text)
        one.forget(said)
    assert one.rest(late, "too late") is None
    one.forget(late)
    assert not one.reads(utterance(4, 19))


def test_the_word_said_again_before_the_answer_was_read_is_for_what_follows_it() -> None:
    one = waking("openwakeword", [])
    one.spot(Spotted("jarvis", 0.9, 2.0, None))
    first, between, second = utterance(1, 3), utterance(2, 6), utterance(3, 31)
    assert one.reads(first)
    one.spot(Spotted("jarvis", 0.9, 30.0, None))
    assert one.reads(second)
    assert one.rest(first, "lights on") == "lights on"
    one.answered(first, "lights on")
    assert one.rest(between, "not for you") is None
    assert one.rest(second, "lights off") == "lights off"


def test_a_final_that_has_the_word_otherwise_than_the_partial_is_kept_whole() -> None:
    one, said = waking("transcript", []), utterance(1, 1)
    assert one.rest(said, "jarvis turn") == "turn"
    assert one.rest(said, "jervois turn the lights on") == "turn the lights on"
    assert one.rest(said, "the rest is here") == "the rest is here"


def test_speech_that_has_just_begun_when_the_time_is_over_is_heard() -> None:
    one = waking("openwakeword", [])
    one.spot(Spotted("jarvis", 0.9, 1.0, None))
    one.look_at_the_time(6.05)
    assert one.reads(utterance(1, 5.99))
