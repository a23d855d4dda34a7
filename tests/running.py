"""A real `stt-server` process on a free port, for tests and benchmarks."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
TINY = ROOT / "tests" / "fixtures" / "tinywhisper"
SOUNDS = ROOT / "tests" / "sounds"
SPEECH = ROOT.parent / "shared" / "audio"
"""Real speech with transcripts, where the machine has it."""


class Running:
    """A server process and what it said."""

    def __init__(self, process: "subprocess.Popen[str]", began: float) -> None:
        self.process = process
        self.began = began
        """`time.monotonic` at the process's start."""
        self.url = ""
        self.lines: list[str] = []
        self._listening = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def log(self) -> str:
        return "".join(self.lines)

    def wait_until_listening(self, seconds: float = 30) -> None:
        assert self._listening.wait(seconds), f"the server didn't come up:\n{self.log}"
        assert self.url, f"the server ended:\n{self.log}"

    def wait_until_it_says(self, words: str, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while words not in self.log:
            assert time.monotonic() < deadline, f"it didn't say {words!r}:\n{self.log}"
            time.sleep(0.01)

    def stop(self, number: int = signal.SIGTERM, seconds: float = 30) -> int:
        """Send the signal, return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(seconds)
        self._reader.join(5)
        return code

    def wait(self, seconds: float = 30) -> int:
        """Wait for the process to end by itself; return the exit code."""
        code = self.process.wait(seconds)
        self._reader.join(5)
        return code

    def _read(self) -> None:
        assert self.process.stderr
        with self.process.stderr:
            for line in self.process.stderr:
                self.lines.append(line)
                if found := re.search(r"listening on (http://[^\s\"]+)", line):
                    self.url = found[1]
                    self._listening.set()
        self._listening.set()


def workers(server: Running) -> list[int]:
    """Return the processes that a server's engines work in; needs ``/proc``."""
    children = [
        int(child)
        for task in Path(f"/proc/{server.process.pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
    lines = {child: Path(f"/proc/{child}/cmdline").read_bytes() for child in children}
    return [child for child, line in lines.items() if b"backend.engines.host" in line]


@contextmanager
def running(
    *arguments: str, environment: Mapping[str, str] | None = None, wait: bool = True
) -> Iterator[Running]:
    """Run a server with folders of its own for the length of a ``with`` block."""
    with tempfile.TemporaryDirectory() as home:
        ours = ("STT_", "LOG_", "OPENAI_")
        clean = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
        folders = {"STT_SERVER_PROFILES_DIR": f"{home}/profiles", "STT_SERVER_DATA_DIR": home}
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "backend", "serve", "--port", "0", *arguments],
            cwd=ROOT,
            env={**clean, **folders, **(environment or {})},
            stderr=subprocess.PIPE,
            text=True,
        )
        server = Running(process, began)
        try:
            if wait:
                server.wait_until_listening()
            yield server
        finally:
            if process.poll() is None:
                process.kill()
            server.stop()
