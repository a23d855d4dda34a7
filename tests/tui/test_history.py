from tui.widgets.history import SECONDS, History, braille


def test_nothing_is_drawn_where_nothing_was_measured() -> None:
    assert History().columns(4) == [None] * 4
    assert braille([None, None], 2) == ["\u2800", "\u2800"]


def test_the_newest_is_at_the_right_and_ten_seconds_are_the_whole_width() -> None:
    history = History()
    history.add(0.0, 0.1, speaking=False)
    history.add(5.0, 0.5, speaking=True)
    history.add(9.9, 0.9, speaking=False)
    columns = history.columns(10)
    assert columns[0] == (0.1, False)
    assert columns[4:6] == [(0.1, False), (0.5, True)]
    assert columns[9] == (0.9, False)
    history.add(8.9 + SECONDS, 0.2, speaking=False)
    assert history.columns(10)[0] == (0.9, False)
    assert history.columns(10)[9] == (0.2, False)


def test_of_what_falls_together_the_loudest_is_drawn() -> None:
    history = History()
    for share, speaking in ((0.1, False), (0.8, True), (0.3, False)):
        history.add(7.0, share, speaking)
    assert history.columns(10)[9] == (0.8, True)


def test_a_clock_that_was_set_back_begins_anew() -> None:
    history = History()
    history.add(100.0, 0.5, speaking=False)
    history.add(1.0, 0.7, speaking=False)
    assert history.columns(10)[:9] == [None] * 9


def test_dots_are_filled_from_below() -> None:
    assert braille([1.0, 0.0], 1) == ["\u28c7"]
    assert braille([0.5, 0.5], 2) == ["\u2800", "\u28ff"]
    assert braille([7.0], 1) == ["\u2847"]
