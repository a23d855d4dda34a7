import asyncio
import threading
from collections.abc import Iterator

import pytest

from backend.engines import Cancelled
from backend.engines.line import Line


@pytest.fixture
def line() -> Iterator[Line]:
    line = Line("test")
    line.open()
    yield line
    line.close(nothing())


async def nothing() -> None: ...


async def answer(value: int) -> int:
    return value


async def for_ever(begun: threading.Event, ended: threading.Event) -> None:
    begun.set()
    try:
        await asyncio.Event().wait()
    finally:
        ended.set()


def test_a_call_returns_what_it_returns_or_raises(line: Line) -> None:
    async def fail() -> None:
        raise ValueError("broken")

    assert line.call(answer(3)) == 3
    with pytest.raises(ValueError, match="broken"):
        line.call(fail())


def test_a_call_in_progress_is_broken_off(line: Line) -> None:
    begun, ended = threading.Event(), threading.Event()

    def break_off() -> None:
        assert begun.wait(10)
        line.cancel()

    breaking = threading.Thread(target=break_off)
    breaking.start()
    with pytest.raises(Cancelled):
        line.call(for_ever(begun, ended))
    breaking.join()
    assert ended.wait(10)
    assert line.call(answer(1)) == 1


def test_a_cancel_before_a_call_meets_it(line: Line) -> None:
    line.cancel()
    with pytest.raises(Cancelled):
        line.call(answer(1))
    assert line.call(answer(2)) == 2


def test_what_runs_goes_on_between_the_calls_and_ends_with_the_line() -> None:
    line = Line("test")
    line.open()
    begun, ended = threading.Event(), threading.Event()
    kept: list[asyncio.Task[None]] = []

    async def begin() -> None:
        kept.append(asyncio.create_task(for_ever(begun, ended)))

    line.call(begin())
    assert begun.wait(10)
    line.close(nothing())
    assert ended.is_set()
    line.close(nothing())
    line.open()
    assert line.call(answer(4)) == 4
    line.close(nothing())
