"""Threads that read the history's file while another writes it."""

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from backend.history.tables import open_for_reading

Value = TypeVar("Value")

COUNT = 2
LONGEST = 5.0
"""Seconds that reading may take."""


class NotRead(Exception):
    """What was asked for can't be read. The text says why and how to mend it."""


class Readers:
    """Each thread has a connection of its own."""

    def __init__(self, path: Path, lives: Callable[[], int]) -> None:
        """Set up.

        Args:
            path: the file.
            lives: how often it was opened: it may be another than it was.

        """
        self._path = path
        self._lives = lives
        self._threads = ThreadPoolExecutor(COUNT, "history-reader")
        self._mine = threading.local()
        self._all: set[sqlite3.Connection] = set()

    async def read(self, act: Callable[..., Value], *given: object) -> Value:
        """Have something done with a connection on a thread. Raises `NotRead`."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, partial(self._do, act, *given))
        except sqlite3.Error as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                told = f"it took over {LONGEST:g} s; ask for less: a session, or a shorter time"
                raise NotRead(told) from error
            raise NotRead(f"{self._path}: {error}") from error

    def close(self) -> None:
        """End the threads. Blocking."""
        for connection in list(self._all):
            with contextlib.suppress(sqlite3.Error):
                connection.interrupt()
        self._threads.shutdown(cancel_futures=True)
        for connection in self._all:
            connection.close()

    def _do(self, act: Callable[..., Value], *given: object) -> Value:
        connection = self._connection()
        until = time.monotonic() + LONGEST
        connection.set_progress_handler(lambda: time.monotonic() > until, 10_000)
        return act(connection, *given)

    def _connection(self) -> sqlite3.Connection:
        mine = self._mine
        lives = self._lives()
        if getattr(mine, "lives", None) != lives:
            if old := getattr(mine, "connection", None):
                self._all.discard(old)
                old.close()
            mine.connection = open_for_reading(self._path)
            mine.lives = lives
            self._all.add(mine.connection)
        connection: sqlite3.Connection = mine.connection
        return connection
