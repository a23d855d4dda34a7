"""What a stream of this console is called; that it is sent is tested with the sessions."""

import pytest

from common.api import AudioHello
from tui.feed import called


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("talk.wav", "talk.wav-"),
        ("My talk (1).flac", "My-talk-1-.flac-"),
        ("../..", "stream-"),
        ("日本語", "stream-"),
        ("x" * 300, "x" * 48 + "-"),
        ("-[/]-", "stream-"),
    ],
)
def test_a_session_is_called_after_its_sound_and_the_server_takes_it(
    name: str, begins: str
) -> None:
    first, second = called(name), called(name)
    assert first.startswith(begins)
    assert len(first) == len(begins) + 6
    assert first != second
    assert AudioHello.model_validate({"session_id": first}).session_id == first
