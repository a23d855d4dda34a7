"""Clients that never read, beside a hundred that do: what these notice, and what it costs.

    python -m benchmarks.fanout --stuck [--rounds 5]

200 events a second go to a hundred clients, with none, one and ten more that never read, in
turns. *p99* is the hundred's, from the making of an event to its arrival; *memory* what the server
has grown by at most; *gone* the seconds from the stuck ones' backlog to the closing of the last of
their sockets; *lost* the events that they were not told, neither before they were closed nor when
they came back with ``since``.
"""

import json
import socket
import statistics
import time
from math import inf
from typing import Any

from benchmarks.fanout import Crowd, Server

READERS = 100
RATE, SECONDS = 200, 15
STUCK = (0, 1, 10)
SETTLED = 6.0
"""Seconds after which the connection that asked whether the server is up has ended."""
BEHIND = 100
"""Events that wait for a client only if it never reads."""


class Deaf:
    """A client that reads nothing before it is asked to."""

    def __init__(self, port: int, since: int | None = None) -> None:
        self._plug = socket.socket()
        self._plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._plug.connect(("127.0.0.1", port))
        self._plug.settimeout(2.0)
        query = "" if since is None else f"?since={since}"
        self._plug.sendall(
            (
                f"GET /api/v1/ws{query} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            ).encode()
        )
        self._began = self._plug.recv(16)

    def numbers(self) -> list[int]:
        """Read what there is; return the events' numbers."""
        data = self._began
        try:
            while more := self._plug.recv(1 << 16):
                data += more
        except (ConnectionError, TimeoutError):
            pass
        self._plug.close()
        return [number for event in _events(data) if (number := event.get("seq"))]


def _events(data: bytes) -> list[dict[str, Any]]:
    """Return the whole events in what a server sent, but for the welcome."""
    found, at = [], data.find(b"\r\n\r\n") + 4
    while at + 4 <= len(data):
        size, head = data[at + 1], 2
        if size == 126:
            size, head = int.from_bytes(data[at + 2 : at + 4]), 4
        if data[at] == 0x81 and at + head + size <= len(data):
            event = json.loads(data[at + head : at + head + size])
            found += [event] if event["event"] != "welcome" else []
        at += head + size
    return found


def _round(count: int) -> dict[str, float]:
    server = Server("ours")
    try:
        crowd = Crowd(server.port, READERS, compression=False)
        crowd.settle()
        time.sleep(SETTLED)
        alone = server.number("files")
        deaf = [Deaf(server.port) for _ in range(count)]
        crowd.settle()
        before = most = server.memory()
        server.say(count=RATE * SECONDS, rate=RATE)
        backlog = gone = 0.0
        looked, total = 0.0, RATE * SECONDS * READERS
        while crowd.seen < total or (count and not gone and crowd.read(5)):
            crowd.read(0.1)
            if (now := time.monotonic()) < looked + 0.25:
                continue
            looked = now
            most = max(most, server.memory())
            if not backlog and server.number("depth") >= BEHIND:
                backlog = now - BEHIND / RATE
            if backlog and not gone and server.number("files") <= alone:
                gone = now
        server.say(seen=RATE * SECONDS)
        server.answer()
        late = sorted(crowd.late)
        return {
            "p99": late[len(late) * 99 // 100],
            "memory": (most - before) / 2**20,
            "gone": gone - backlog if gone or not count else inf,
            "lost": sum(_lost(server.port, one) for one in deaf),
        }
    finally:
        server.end()


def _lost(port: int, deaf: Deaf) -> int:
    """Return how many of all events a client was told neither at first nor when it came back."""
    told = deaf.numbers()
    back = Deaf(port, told[-1]).numbers()
    both = told + back
    return RATE * SECONDS - len(set(both)) + (both != sorted(both))


def measure(rounds: int) -> bool:
    """Print the table; return whether what we promise was kept."""
    found: dict[int, list[dict[str, float]]] = {count: [] for count in STUCK}
    for _ in range(rounds):
        for count in STUCK:
            found[count].append(_round(count))
    print(f"\n{READERS} clients that read, {RATE} events a second (medians of {rounds})\n")
    print("| that never read | p99 ms | of that without | memory MB | gone s | lost | |")
    print("|---|---|---|---|---|---|---|")
    kept = True
    for count in STUCK:
        p99, memory = (
            statistics.median(one[figure] for one in found[count]) for figure in ("p99", "memory")
        )
        gone, lost = (max(one[figure] for one in found[count]) for figure in ("gone", "lost"))
        ratio = p99 / statistics.median(one["p99"] for one in found[0])
        alone = statistics.median(one["memory"] for one in found[0])
        passed = ratio <= 1.25 and memory - alone <= 5 and gone <= 5 and not lost
        kept &= passed
        print(
            f"| {count} | {p99:.1f} | {ratio:.2f} | {memory:.1f} | {gone:.1f} | {lost:.0f} | "
            f"{'pass' if passed else 'FAIL'} |",
            flush=True,
        )
    return kept
