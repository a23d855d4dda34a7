"""Falling asleep and waking, in seconds of sound."""

from backend.hearing.vigil import Vigil


def test_it_begins_asleep_and_heeds_nothing() -> None:
    vigil = Vigil(30, 0)
    assert not vigil.awake
    assert not vigil.heeds(0)
    assert not vigil.nobody_spoke(100)


def test_speech_that_begins_in_time_is_heeded() -> None:
    vigil = Vigil(30, 0)
    vigil.wake(10)
    assert vigil.heeds(40)
    assert not vigil.heeds(40.1)


def test_without_follow_up_one_answer_sends_it_to_sleep() -> None:
    vigil = Vigil(30, 0)
    vigil.wake(10)
    vigil.answered(12)
    assert not vigil.awake
    assert not vigil.nobody_spoke(1000)


def test_with_follow_up_the_next_needs_no_word() -> None:
    vigil = Vigil(30, 5)
    vigil.wake(10)
    vigil.answered(12)
    assert vigil.heeds(17)
    assert not vigil.heeds(17.1)
    assert vigil.nobody_spoke(17.1)


def test_nobody_spoke_is_said_once() -> None:
    vigil = Vigil(2, 0)
    vigil.wake(1)
    assert not vigil.nobody_spoke(3)
    assert vigil.nobody_spoke(3.1)
    assert not vigil.nobody_spoke(3.2)
    assert not vigil.awake


def test_an_answer_that_is_known_late_leaves_the_next_word_alone() -> None:
    vigil = Vigil(5, 0)
    vigil.wake(10)
    vigil.wake(30)
    assert vigil.heeds(12)
    vigil.answered(14)
    assert not vigil.heeds(16)
    assert vigil.heeds(33)
    assert not vigil.nobody_spoke(35)
    assert vigil.nobody_spoke(35.1)


def test_speech_from_long_before_the_word_is_not_heeded() -> None:
    vigil = Vigil(5, 0)
    vigil.wake(10)
    assert vigil.heeds(9.5)
    assert not vigil.heeds(5)
