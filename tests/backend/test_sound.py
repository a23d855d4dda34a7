"""What is wrong with a session's sound has words, and is over when it is over."""

import pytest

from backend.hearing.news import FellSilent, Lost, Overran, Returned, Sounded
from backend.sound import Sound, cure
from common.events import AudioStatus


def test_before_any_sound_it_is_not_known_whether_it_is_silent() -> None:
    assert Sound("Mic", None).status() == AudioStatus(device="Mic", gone=False)


def test_silence_is_a_fault_until_there_is_sound() -> None:
    sound = Sound("Mic", None)
    sound.measure(-100)
    error = sound.take(FellSilent(1.8))
    assert error
    assert error.recoverable
    assert "'Mic' gives nothing but zeros" in error.details
    status = sound.status()
    assert (status.silent, status.gone, status.fault) == (True, False, error.details)
    assert sound.take(Sounded()) is None
    assert sound.status() == AudioStatus(device="Mic", level_dbfs=-100, silent=False, gone=False)


def test_a_single_channel_may_be_the_reason_of_silence() -> None:
    error = Sound("Mic", 2).take(FellSilent(1.8))
    assert error
    assert "only channel 2" in error.details


def test_a_loss_is_a_fault_until_a_microphone_is_there() -> None:
    sound = Sound("Mic", None)
    sound.measure(-40)
    error = sound.take(Lost("it is gone"))
    assert error
    assert error.recoverable
    gone = AudioStatus(device="Mic", silent=False, gone=True, fault="it is gone")
    assert sound.status() == gone
    assert sound.take(Returned("Headset")) is None
    assert sound.status().device == "Headset"
    assert not sound.status().gone
    assert sound.status().fault is None


@pytest.mark.parametrize(
    ("news", "says"),
    [
        (Overran(1, 0), "once: "),
        (Overran(3, 0), "3 times: "),
        (Overran(0, 0.5), "0.5 s"),
        (Overran(3, 0.5), "3 times and 0.5 s"),
    ],
)
def test_lost_sound_is_told_and_is_no_lasting_fault(news: Overran, says: str) -> None:
    sound = Sound("Mic", None)
    error = sound.take(news)
    assert error
    assert says in error.details
    assert sound.status().fault is None


@pytest.mark.parametrize(
    ("platform", "words"),
    [
        ("darwin", ["Privacy & Security → Microphone", "Terminal, iTerm", "launchd and ssh"]),
        ("linux", ["pactl set-source-mute", "alsamixer", "stt-server devices", "audio.device"]),
        ("win32", ["muted", "stt-server devices"]),
    ],
)
def test_the_cure_of_silence_is_the_platform_s(platform: str, words: list[str]) -> None:
    assert all(word in cure(platform) for word in words)
