import math

import pytest

from backend.engines.sanity import fault, without_loop


@pytest.mark.parametrize(
    ("text", "logprob", "no_speech", "told"),
    [
        ("hello world", -0.1, 0.0, ""),
        ("", -0.1, 0.9, ""),
        ("!!!!", -0.1, 0.0, "nonsense"),
        ("hello", math.nan, 0.0, "nonsense"),
        ("hello", -1.4, 0.7, "no speech"),
        ("hello", -1.4, 0.1, ""),
        ("hello", -0.4, 0.9, ""),
        ("Thank you.", -0.1, 0.01, ""),
        ("Thank you.", -0.8, 0.01, "phantom"),
        ("Thank you for watching!", -0.1, 0.4, "phantom"),
        ("Sous-titres réalisés par la communauté d'Amara.org", -0.2, 0.4, "phantom"),
        ("Thank you for the fish.", -0.8, 0.4, ""),
        ("you", -0.3, math.nan, ""),
    ],
)
def test_a_text_is_believed_or_not(text: str, logprob: float, no_speech: float, told: str) -> None:
    assert fault(text, logprob, no_speech) == told


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("", ""),
        ("no no no", "no no no"),
        ("no no no no", "no"),
        ("it is it is it is", "it is"),
        ("so it is, it is. It is it is", "so it is,"),
        ("I like it a lot a lot", "I like it a lot a lot"),
        ("one two three", "one two three"),
    ],
)
def test_a_loop_at_the_end_is_said_once(text: str, left: str) -> None:
    assert without_loop(text) == left
