"""A line to somewhere else: an event loop on a thread of its own, called from an engine's.

An engine's calls block; what waits for a network is best written without blocking, for only then
a call can be broken off at once. Between the calls the loop goes on: connections stay alive.
"""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

from backend.engines import Cancelled

Value = TypeVar("Value")

PATIENCE = 3.0
"""Seconds that what still runs has to end when the line is closed."""


class Line:
    """The loop and the one call that may be in progress."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._wanted = False
        # A cancel that has met no call yet.
        self._running: Future[Any] | None = None

    def open(self) -> None:
        """Start the loop. Harmless when it runs."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=self._loop.run_forever, name=f"{self._name} line", daemon=True
            )
            self._thread.start()

    def call(self, coroutine: Coroutine[Any, Any, Value]) -> Value:
        """Run it to its end and return what it returns. Raises `Cancelled` after `cancel`."""
        assert self._loop, "the line is not open"
        with self._lock:
            if self._wanted:
                self._wanted = False
                coroutine.close()
                raise Cancelled("nobody wants this any more")
            running = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
            self._running = running
        try:
            return running.result()
        except CancelledError:
            with self._lock:
                self._wanted = False
            raise Cancelled("nobody wants this any more") from None
        finally:
            with self._lock:
                self._running = None

    def cancel(self) -> None:
        """Have the call in progress, or the next one, raise `Cancelled`. From any thread."""
        with self._lock:
            self._wanted = True
            if self._running:
                self._running.cancel()

    def close(self, last: Coroutine[Any, Any, None]) -> None:
        """Run the last words, cancel all else that runs and end the loop. `open` may follow."""
        loop, thread = self._loop, self._thread
        self._loop = self._thread = None
        if loop is None or thread is None:
            last.close()
            return
        try:
            asyncio.run_coroutine_threadsafe(_end(last), loop).result(2 * PATIENCE + 1)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


async def _end(last: Coroutine[Any, Any, None]) -> None:
    try:
        await asyncio.wait_for(last, PATIENCE)
    finally:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        if others:
            await asyncio.wait(others, timeout=PATIENCE)
        await asyncio.get_running_loop().shutdown_asyncgens()
