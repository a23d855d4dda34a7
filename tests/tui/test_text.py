import pytest

from tui.text import one_line, printable


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31mred", "␛[31mred"),
        ("bell\x07", "bell␇"),
        ("a\tb\nc\rd", "a b c d"),
        ("\x7f\x9b", "␡�"),
        ("evil \u202etxt", "evil �txt"),
        ("\ud800", "�"),
    ],
)
def test_what_would_steer_the_terminal_is_shown_instead(hostile: str, shown: str) -> None:
    assert printable(hostile) == shown
    assert len(printable(hostile)) == len(hostile)


@pytest.mark.parametrize("text", ["日本語", "مرحبا", "👩‍👩‍👧", "[/] [@click=app.quit]x", "naïve"])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


def test_one_line_draws_white_space_together() -> None:
    assert one_line("  two\n\n words ") == "two words"
