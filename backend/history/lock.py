"""One server to a folder: two would give the same numbers twice."""

import contextlib
import os
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows has no such lock.
    fcntl = None  # type: ignore[assignment]


class Lock:
    """A file that one process holds; the system lets go of it when that ends, however it does."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def take(self) -> None:
        """Take it, if the folder can be written at all. Raises `OSError` if another has it."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            return  # Opening the history says what is wrong.
        if fcntl is None:
            return
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.give_back()
            raise OSError(
                f"another server writes its history in {self._path.parent}: end that, or set "
                "STT_SERVER_DATA_DIR to a folder of this one's own"
            ) from error

    def give_back(self) -> None:
        if self._handle is not None:
            with contextlib.suppress(OSError):
                os.close(self._handle)
            self._handle = None
