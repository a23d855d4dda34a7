"""Nothing but zeros is told, once."""

import numpy as np
import pytest

from backend.hearing import RATE, Block
from backend.hearing.news import FellSilent, Sounded
from backend.hearing.silence import LATE, OFTEN, SOON, Silence


def zeros(seconds: float, rate: int = RATE) -> list[Block]:
    return [np.zeros((rate // 10, 1), np.int16)] * round(seconds * 10)


def sound(seconds: float = 0.1) -> list[Block]:
    """One sample that is no zero in each block."""
    blocks = [np.zeros((RATE // 10, 1), np.int16) for _ in range(round(seconds * 10))]
    for block in blocks:
        block[7] = 1
    return blocks


def told(silence: Silence, blocks: list[Block]) -> list[FellSilent | Sounded]:
    return [news for block in blocks if (news := silence.hear(block))]


@pytest.mark.parametrize("rate", [RATE, 48_000])
def test_zeros_are_told_within_two_seconds_and_once(rate: int) -> None:
    silence = Silence(rate)
    assert not told(silence, zeros(SOON - 0.1, rate))
    (news,) = told(silence, zeros(60, rate))
    assert isinstance(news, FellSilent)
    assert SOON <= news.seconds <= 2


def test_the_faintest_sound_is_no_silence() -> None:
    assert not told(Silence(RATE), sound(10))


def test_the_end_of_silence_is_told_once() -> None:
    silence = Silence(RATE)
    told(silence, zeros(2))
    assert told(silence, sound(1)) == [Sounded()]


def test_short_silences_do_not_add_up() -> None:
    assert not told(Silence(RATE), [*zeros(1.5), *sound(), *zeros(1.5), *sound()])


def test_a_broken_off_silence_is_forgotten() -> None:
    silence = Silence(RATE)
    told(silence, zeros(1.5))
    silence.forget()
    assert not told(silence, zeros(1.5))


def test_a_source_whose_every_pause_is_zeros_is_told_of_a_few_times_only() -> None:
    silence = Silence(RATE)
    talk = [*zeros(3), *sound()] * 20
    assert len([news for news in told(silence, talk) if isinstance(news, FellSilent)]) == OFTEN
    assert len(told(silence, zeros(LATE + 1))) == 1
