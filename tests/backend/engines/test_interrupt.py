import pytest

from backend.engines import Cancelled
from backend.engines.interrupt import Interrupt


def test_nothing_happens_without_a_cancel():
    Interrupt().check()


def test_a_cancel_is_met_once():
    interrupt = Interrupt()
    interrupt.ask()
    with pytest.raises(Cancelled):
        interrupt.check()
    interrupt.check()


def test_two_cancels_before_a_check_are_one():
    interrupt = Interrupt()
    interrupt.ask()
    interrupt.ask()
    with pytest.raises(Cancelled):
        interrupt.check()
    interrupt.check()
