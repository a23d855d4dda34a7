"""Coroutines without a task: most of what is awaited here has no need to wait."""

import types
from collections.abc import Coroutine, Generator
from typing import Any


def begun(coroutine: Coroutine[Any, Any, None]) -> Coroutine[Any, Any, None] | None:
    """Run a coroutine to where it waits; return the rest of it, or None if it didn't."""
    try:
        waits_for = coroutine.send(None)
    except StopIteration:
        return None
    return _rest(coroutine, waits_for)


@types.coroutine
def _rest(coroutine: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    while True:
        try:
            answer = yield waits_for
        except BaseException as error:
            step = _thrown(coroutine, error)
        else:
            step = _sent(coroutine, answer)
        if step is _END:
            return
        waits_for = step


_END = object()


def _sent(coroutine: Coroutine[Any, Any, None], answer: Any) -> Any:
    try:
        return coroutine.send(answer)
    except StopIteration:
        return _END


def _thrown(coroutine: Coroutine[Any, Any, None], error: BaseException) -> Any:
    try:
        return coroutine.throw(error)
    except StopIteration:
        return _END
