import time

from tests.tui.loopback import said
from tui.widgets.entries import Entries, Entry


def texts(entries: Entries) -> list[str]:
    return [entries[index].text for index in range(len(entries))]


def test_a_final_takes_its_partials_place() -> None:
    entries = Entries(40)
    entries.place(said("hel", final=False))
    entries.place(said("next", "u2", final=False))
    assert entries.place(said("hello")) == 0
    assert texts(entries) == ["hello", "next"]


def test_nothing_changes_a_final() -> None:
    entries = Entries(40)
    entries.place(said("hello"))
    assert entries.place(said("late", final=False)) is None
    assert entries.place(said("hello")) is None
    assert texts(entries) == ["hello"]


def test_sessions_may_number_their_utterances_alike() -> None:
    entries = Entries(40)
    entries.place(said("one"))
    entries.place(said("two", session_id="s2"))
    assert texts(entries) == ["one", "two"]


def test_lines_are_found_though_entries_grow_above_them() -> None:
    entries = Entries(5)
    entries.place(said("one", final=False))
    entries.place(said("two", "u2"))
    entries.place(said("one and more words"))
    assert entries.height == 5
    assert [entries.find(line) for line in range(5)] == [0, 0, 0, 0, 1]
    entries.rewrap(80)
    assert entries.height == 2


def test_an_utterance_that_turned_out_to_be_nothing_takes_no_line() -> None:
    entries = Entries(40)
    entries.place(said("uh", final=False))
    entries.place(said("two", "u2"))
    entries.place(said(""))
    assert entries.height == 1
    assert entries.find(0) == 1
    assert entries.said() == ["two"]


def test_the_stable_prefix_follows_its_text() -> None:
    entries = Entries(40)
    entries.place(said(" hello wor", final=False, stable=6))
    assert entries[0].text[: entries[0].stable] == "hello"


def test_remarks_are_not_speech() -> None:
    entries = Entries(40)
    entries.place(said("hello"))
    entries.append(Entry("note", "remark", 0))
    assert entries.last_said() == "hello"
    assert entries.said() == ["hello"]


def test_appending_costs_the_same_however_many_there_are() -> None:
    entries = Entries(60)
    for number in range(50_000):
        entries.place(said("some words that were said", str(number)))
    began = time.process_time()
    for number in range(100):
        entries.place(said("more", f"p{number}", final=False))
        entries.place(said("more words", f"p{number}"))
    # A pass over all entries for each would take far longer than this.
    assert time.process_time() - began < 0.5
