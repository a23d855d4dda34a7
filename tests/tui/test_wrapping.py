import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.wrapping import cells, wrap


def lines(text: str, width: int) -> list[str]:
    return [text[start:end] for start, end in wrap(text, width)]


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("hello world again", 11, ["hello world", "again"]),
        ("", 5, [""]),
        ("a" * 12, 5, ["aaaaa", "aaaaa", "aa"]),
        ("ab " + "c" * 6, 5, ["ab", "ccccc", "c"]),
        ("日本語のテキスト", 7, ["日本語", "のテキ", "スト"]),
        ("日", 1, ["日"]),
        ("日本語。", 6, ["日本", "語。"]),
        ("日。。。。", 4, ["日。", "。。", "。"]),
        ("one  two", 3, ["one", "two"]),
    ],
)
def test_lines_break_where_they_should(text: str, width: int, expected: list[str]) -> None:
    assert lines(text, width) == expected


@given(st.text("ab 日👍🏽é\u200d ", max_size=60), st.integers(2, 20))
def test_no_line_is_too_wide_and_no_word_is_lost(text: str, width: int) -> None:
    broken = lines(text, width)
    assert all(cell_len(line) <= width for line in broken)
    assert "".join("".join(broken).split()) == "".join(text.split())


def test_cells_counts_wide_characters_twice() -> None:
    assert cells("ab日") == 4
