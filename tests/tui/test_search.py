from tests.tui.loopback import said
from tui.widgets.entries import Entries
from tui.widgets.search import Search


def heard(*texts: str) -> Entries:
    entries = Entries(40)
    for number, text in enumerate(texts):
        entries.place(said(text, str(number)))
    return entries


def test_case_makes_no_difference_and_signs_are_only_signs() -> None:
    search = Search()
    search.look_for("a.(", heard("A.(", "abc", "x a.( y"))
    assert search.found == [0, 2]
    assert search.spans("xA.(a.(") == [(1, 4), (4, 7)]


def test_steps_go_around_the_end() -> None:
    search = Search()
    search.look_for("a", heard("a", "b", "a", "a"))
    assert [search.step(1, at) for at in (-1, 0, 2, 3)] == [0, 2, 3, 0]
    assert [search.step(-1, at) for at in (4, 3, 0)] == [3, 2, 3]
    assert str(search) == "3 of 3"


def test_nothing_found_leads_nowhere() -> None:
    search = Search()
    search.look_for("z", heard("a"))
    assert search.step(1, 0) is None
    assert str(search) == "0 found"


def test_what_changes_is_found_or_not_any_more() -> None:
    entries, search = heard("a", "b"), Search()
    search.look_for("a", entries)
    entries.place(said("aha", "p", final=False))
    search.took(2, entries[2])
    assert search.found == [0, 2]
    entries.place(said("oho", "p"))
    search.took(2, entries[2])
    assert search.found == [0]
