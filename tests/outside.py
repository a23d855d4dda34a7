"""Real Redis and PostgreSQL servers, stopped and started again as a test wants."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

# Debian keeps PostgreSQL's programs out of the way.
PLACES = os.pathsep.join(
    [os.environ.get("PATH", ""), *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin")))]
)
REDIS = shutil.which("redis-server")
POSTGRES = shutil.which("postgres", path=PLACES)
INITDB = shutil.which("initdb", path=PLACES)
SETPRIV = shutil.which("setpriv")
needs_redis = pytest.mark.skipif(REDIS is None, reason="no redis-server on this machine")
needs_postgres = pytest.mark.skipif(
    POSTGRES is None or INITDB is None or (os.geteuid() == 0 and SETPRIV is None),
    reason="no PostgreSQL on this machine",
)
NOBODY = 65534


class Outside:
    """A server process that keeps its port and its data."""

    def __init__(self, folder: Path, arguments: list[str], port: int) -> None:
        self.port = port
        self._folder = folder
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, seconds: float = 30) -> None:
        """Start it and wait until it listens."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._arguments, cwd=self._folder, stdout=log, stderr=subprocess.STDOUT
            )
        until = time.monotonic() + seconds
        while True:
            assert self._process.poll() is None, (self._folder / "log").read_text()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            assert time.monotonic() < until, (self._folder / "log").read_text()
            time.sleep(0.05)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it as a signal does: SIGINT has PostgreSQL end at once, but in order."""
        assert self._process
        self._process.send_signal(number)
        self._process.wait(30)


@contextmanager
def redis_server() -> Iterator[Outside]:
    """Run a Redis that has on disk what it took."""
    with _folder() as folder:
        port = _free()
        arguments = [str(REDIS), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
        arguments += ["--appendonly", "yes", "--appendfsync", "always", "--dir", str(folder)]
        yield from _alive(Outside(folder, arguments, port))


@contextmanager
def postgres_server() -> Iterator[Outside]:
    """Run a PostgreSQL, which won't run as root."""
    with _folder() as folder:
        port = _free()
        data = folder / "data"
        other = []
        if os.geteuid() == 0:
            other = [str(SETPRIV), f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
            os.chown(folder, NOBODY, NOBODY)
        made = [*other, str(INITDB), "-D", str(data), "-U", "stt", "--auth=trust", "--no-sync"]
        subprocess.run(made, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        arguments = [*other, str(POSTGRES), "-D", str(data), "-p", str(port), "-k", str(folder)]
        arguments += ["-c", "listen_addresses=127.0.0.1"]
        yield from _alive(Outside(folder, arguments, port))


def _alive(server: Outside) -> Iterator[Outside]:
    server.start()
    try:
        yield server
    finally:
        if server._process and server._process.poll() is None:
            server.stop(signal.SIGINT)


@contextmanager
def _folder() -> Iterator[Path]:
    # Not pytest's: no other user may look into that.
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
