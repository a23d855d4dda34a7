from common.events import Error
from tests.tui.loopback import level, said
from tui.messages import EventArrived, LevelArrived


def test_a_newer_level_replaces_an_older_one() -> None:
    assert LevelArrived(level()).can_replace(LevelArrived(level()))
    assert not LevelArrived(level()).can_replace(LevelArrived(level(session_id="s2")))
    assert not LevelArrived(level()).can_replace(EventArrived(said("word")))


def test_a_partial_makes_way_for_what_comes_after_it() -> None:
    partial = EventArrived(said("hel", final=False))
    assert partial.can_replace(EventArrived(said("hell", final=False)))
    assert partial.can_replace(EventArrived(said("hello")))


def test_words_are_never_dropped() -> None:
    final = EventArrived(said("hello"))
    partial = EventArrived(said("hel", final=False))
    assert not final.can_replace(EventArrived(said("hello")))
    assert not partial.can_replace(EventArrived(said("other", "u2")))
    assert not partial.can_replace(EventArrived(said("other", session_id="s2")))
    assert not partial.can_replace(EventArrived(Error(error="e", details="d")))
