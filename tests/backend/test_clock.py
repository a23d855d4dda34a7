"""When sound was heard."""

import threading

from backend.clock import Clock


def test_it_is_told_how_long_ago_a_second_of_the_sound_was_heard() -> None:
    clock = Clock()
    clock.tick(1.0)
    since = clock.since(0.5)
    assert since is not None
    assert 0 <= since < 5
    assert clock.since(1.5) is None


def test_it_may_be_asked_while_sound_is_heard() -> None:
    clock, done = Clock(), threading.Event()

    def hear() -> None:
        for tick in range(200_000):
            clock.tick(tick)
        done.set()

    hearing = threading.Thread(target=hear)
    hearing.start()
    while not done.is_set():
        clock.since(0)
    hearing.join()
