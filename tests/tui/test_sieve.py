import pytest

from tui.sieve import Sieve, Sureness
from tui.widgets.entries import Entry

FINALS = {
    name: Entry("final", "x", 0, confidence)
    for name, confidence in (("high", 0.8), ("middle", 0.5), ("low", 0.49), ("unmeasured", None))
}


def name(session_id: str | None) -> str:
    return session_id or "-"


@pytest.mark.parametrize(
    ("sure", "shown"),
    [
        ("any", {"high", "middle", "low", "unmeasured"}),
        ("middle", {"high", "middle"}),
        ("high", {"high"}),
        ("low", {"low"}),
    ],
)
def test_finals_are_shown_by_how_sure_they_are(sure: Sureness, shown: set[str]) -> None:
    sieve = Sieve(sure=sure)
    assert {one for one, entry in FINALS.items() if sieve.shows(entry, name)} == shown
    assert sieve.shows(Entry("partial", "x", 0), name)


def test_one_speaker_alone_can_be_shown() -> None:
    sieve = Sieve(speaker="kitchen")
    assert sieve.shows(Entry("final", "x", 0, session_id="kitchen"), name)
    assert not sieve.shows(Entry("partial", "x", 0, session_id="hall"), name)
    assert sieve.shows(Entry("note", "x", 0), name)


def test_remarks_can_be_left_out_and_faults_with_them() -> None:
    sieve = Sieve(remarks=False)
    assert not sieve.shows(Entry("note", "x", 0), name)
    assert not sieve.shows(Entry("fault", "x", 0), name)
    assert sieve.words == "no remarks"
    assert not sieve.lets_all_through
