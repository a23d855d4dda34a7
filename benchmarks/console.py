"""How quick the console is: its start, its rest, a flood of events, and a very long transcript.

    python -m benchmarks.console [--runs 10] [--idle 20] [--flood 60]

The console runs as users run it, in a terminal of 120 by 36 (a pseudo-terminal), against a
server that is silent or says 1,000 things a second. Prints a table of figures and what they may
be; the exit code is 1 if one is above.
"""

import argparse
import asyncio
import base64
import os
import pty
import re
import signal
import statistics
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from fcntl import ioctl

from tests.running import ROOT, running
from tests.tui.loopback import Loopback, level, said
from tui.app import Console

COLUMNS, LINES = 120, 36
A_SECOND = 1000
"""Events of the flood: a hundred finals, two hundred partials, the rest levels."""
UTTERANCES = 100_000
UP = rb"\xe2\x97\x8f.*[0-9] ms"
"""What is drawn once the server has answered: its round trip."""


class Terminal:
    """The console in a pseudo-terminal, and what it has drawn."""

    def __init__(self, url: str) -> None:
        ours, theirs = pty.openpty()
        ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color", "STT_CONSOLE_CONFIG": os.devnull}
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tui", "--url", url],
            cwd=ROOT,
            env=environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        self._ours = ours
        self.drawn = b""
        self._more = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                piece = os.read(self._ours, 65536)
            except OSError:
                return
            with self._more:
                self.drawn += piece
                self._more.notify_all()

    def wait_for(self, pattern: bytes, seconds: float = 30) -> re.Match[bytes]:
        """Return what matches in all that was drawn since `forget`."""
        found: list[re.Match[bytes] | None] = [None]

        def there() -> bool:
            found[0] = re.search(pattern, self.drawn, re.DOTALL)
            return found[0] is not None

        with self._more:
            self._more.wait_for(there, seconds)
        if found[0] is None:
            raise SystemExit(f"{pattern!r} was not drawn within {seconds} s")
        return found[0]

    def forget(self) -> None:
        with self._more:
            self.drawn = b""

    def press(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def cpu(self) -> float:
        """Return the CPU seconds that the process has taken."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Return the process's memory in MiB."""
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    def close(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        os.close(self._ours)


def first_paint() -> float:
    """Return the seconds from the process's start to its first picture, with no server."""
    terminal = Terminal("http://127.0.0.1:9")
    terminal.wait_for(b"Transcript")
    took = time.monotonic() - terminal.began
    terminal.close()
    return took


def idle(seconds: float) -> float:
    """Return the share of a core that a connected console takes while nothing happens."""
    with running() as server:
        terminal = Terminal(server.url)
        terminal.wait_for(UP)
        time.sleep(3)  # The first seconds are its start.
        before = terminal.cpu()
        time.sleep(seconds)
        share = (terminal.cpu() - before) / seconds
        terminal.close()
    return share


class Flood:
    """What was measured while 1,000 events a second came."""

    def __init__(self) -> None:
        self.answers: list[float] = []
        """Seconds from a key to what it does."""
        self.memory: list[float] = []
        """MiB, each second."""
        self.cpu = 0.0
        """Share of a core."""
        self.told = 0
        """Finals that the server told."""
        self.missing = 0
        self.doubled = 0
        self.behind = 0.0
        """Seconds until it had shown everything."""


async def flood(seconds: float) -> Flood:
    """Flood a console and press keys meanwhile."""
    server, result = Loopback(), Flood()
    await server.open()
    terminal = Terminal(server.url)
    await asyncio.to_thread(terminal.wait_for, UP)
    watching = asyncio.create_task(asyncio.to_thread(_watch, terminal, result, seconds))
    before = terminal.cpu()
    result.told = await _tell(server, seconds)
    result.cpu = (terminal.cpu() - before) / seconds
    await watching
    await asyncio.to_thread(_count, terminal, result)
    terminal.close()
    await server.close()
    return result


async def _tell(server: Loopback, seconds: float) -> int:
    began, sent = time.monotonic(), 0
    while (now := time.monotonic() - began) < seconds:
        while sent < now * A_SECOND:
            number, kind = divmod(sent, 10)
            if kind < 2:
                server.tell(said(f"utterance {number} is", str(number), final=False))
            elif kind == 2:
                server.tell(said(f"utterance {number} is said", str(number)))
            else:
                server.tell(level(-20 - kind, timestamp=time.time(), webrtc=1.0, silero=0.5))
            sent += 1
        await asyncio.sleep(0.005)
    return len([event for event in server.log if event.event == "transcription"])


def _watch(terminal: Terminal, result: Flood, seconds: float) -> None:
    until = time.monotonic() + seconds - 1
    while time.monotonic() < until:
        terminal.forget()
        pressed = time.monotonic()
        terminal.press(b"/")
        terminal.wait_for(b"find")
        result.answers.append(time.monotonic() - pressed)
        terminal.press(b"\x1b")
        result.memory.append(terminal.memory())
        time.sleep(1)


def _count(terminal: Terminal, result: Flood) -> None:
    """Have the console copy all it holds, until it has caught up; look for what is missing."""
    began = time.monotonic()
    while True:
        terminal.forget()
        terminal.press(b"C")
        copied = terminal.wait_for(rb"\x1b\]52;c;([A-Za-z0-9+/=]+)\x07")
        lines = base64.b64decode(copied[1]).decode().splitlines()
        numbers = [int(line.split()[1]) for line in lines]
        result.missing = result.told - len(set(numbers))
        result.doubled = len(numbers) - len(set(numbers))
        result.behind = time.monotonic() - began
        if not result.missing or result.behind > 20:
            return
        time.sleep(0.5)


async def appending(count: int = UTTERANCES, times: int = 100) -> tuple[float, float]:
    """Return the CPU seconds of an utterance, a partial and its final, on a long page.

    Twice: to take in, and with drawing and everything.
    """
    app = Console("http://127.0.0.1:9")
    async with app.run_test(size=(COLUMNS, LINES)) as pilot:
        transcript = app.home.transcript
        with transcript.growing():
            for number in range(count):
                transcript.hear(said(f"utterance {number} was said some time ago", str(number)))
        await pilot.pause()

        def say(number: int) -> None:
            transcript.hear(said(f"utterance {number} is", f"n{number}", final=False))
            transcript.hear(said(f"utterance {number} is said", f"n{number}"))

        alone = _timed(lambda: [say(number) for number in range(times)]) / times
        began = time.process_time()
        for number in range(times):
            say(times + number)
            await pilot.pause()
        return alone, (time.process_time() - began) / times


def _timed(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="How quick the console is.")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--idle", type=float, default=20, metavar="SECONDS")
    parser.add_argument("--flood", type=float, default=60, metavar="SECONDS")
    options = parser.parse_args()
    first_paint()  # Compiles, as every start but the first finds it.
    starts = [first_paint() for _ in range(options.runs)]
    rest = idle(options.idle)
    much = asyncio.run(flood(options.flood))
    alone, drawn = asyncio.run(appending())
    grown = much.memory[-1] - much.memory[0]
    rows: list[tuple[str, float, float, str]] = [
        ("start to first paint, median", statistics.median(starts) * 1000, 400, "ms"),
        ("idle, connected, silent server", rest * 100, 1, "% of a core"),
        (f"{A_SECOND} events/s: a key is answered, median", _ms(much.answers, 50), 100, "ms"),
        ("the same, at worst", max(much.answers) * 1000, 100, "ms"),
        (f"finals missing of {much.told:,}", much.missing, 0, ""),
        ("finals shown twice", much.doubled, 0, ""),
        (f"memory grown in {options.flood:.0f} s", grown, 50, "MiB"),
        (f"an utterance more on {UTTERANCES:,}: taking it in", alone * 1000, 10, "ms CPU"),
        ("the same, with drawing", drawn * 1000, 10, "ms CPU"),
    ]
    print("| | measured | at most |")
    print("|---|---|---|")
    for name, value, most, unit in rows:
        print(f"| {name} | {value:.1f} {unit} | {most:g} {unit} |")
    print(f"\nstarts {min(starts) * 1000:.0f} to {max(starts) * 1000:.0f} ms; in the flood the")
    print(f"console takes {much.cpu:.0%} of a core and at most {max(much.memory):.0f} MiB, and has")
    print(f"shown everything {much.behind:.1f} s after its end")
    return int(any(value > most for _, value, most, _ in rows))


def _ms(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1] * 1000 if len(values) > 1 else 0


if __name__ == "__main__":
    sys.exit(main())
