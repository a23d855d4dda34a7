from tui.widgets.picking import Picked


def test_nothing_is_picked_at_first() -> None:
    assert list(Picked().span) == []
    assert 0 not in Picked()


def test_a_range_goes_either_way_from_where_it_began() -> None:
    begun = Picked(5).marked()
    assert list(begun.moved(7).span) == [5, 6, 7]
    assert list(begun.moved(3).span) == [3, 4, 5]
    assert 4 in begun.moved(3)
    assert list(begun.moved(3).marked().span) == [3]


def test_what_has_gone_is_not_picked_any_more() -> None:
    assert Picked(5, 3).after_forgetting(2) == Picked(3, 1)
    assert Picked(5, 1).after_forgetting(2) == Picked(3, 0)
    assert Picked(1).after_forgetting(2) == Picked()
