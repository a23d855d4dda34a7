"""One server, many listeners: what each event costs, how late it is, what each connection takes.

    python -m benchmarks.fanout [--clients 100 1000 4000 10000] [--rounds 5] [--messages 200000]
    python -m benchmarks.fanout --stuck [--rounds 5]

Ours (and its path without Hypercorn's inner types, "public"), the seed's own design (FastAPI under
uvicorn, `send_json` to each client in turn), `websockets.broadcast`, and picows, all in one run.
The server has one core, the clients the other; rounds are interleaved and medians told. An event
is 200 bytes. *CPU* is the server's for one event to one client, flat out; *p99* from the making of
an event to its arrival, at ten a second; *KiB* what a connection takes of the server's memory. Flat
out, ours tells together what comes while a round of telling goes on (`backend.rounds`).
With `--stuck` it is measured what clients that never read do to the others (`benchmarks.stuck`).
"""

import argparse
import json
import os
import resource
import select
import socket
import statistics
import subprocess
import sys
import time
import zlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.fanout_servers import SERVERS
from tests.running import ROOT

SERVER_CORE, CLIENT_CORE = 0, 1
PINNED = ("taskset", "-c", str(SERVER_CORE))
MARK = b'"details":"'
DIGITS = 20
PING = 9
PONG = b"\x8a\x80\0\0\0\0"
DEFLATED = 0x40
"""Bit of a compressed message's first byte (RFC 7692)."""
ROOM = 1 << 18
"""Bytes that are read at once."""
FLUSHED = b"\0\0\xff\xff"
"""What its sender leaves off at its end."""
INFLATED = 20
"""Clients, one in so many, that also read what is compressed: the others only count it."""


@dataclass(frozen=True)
class Aim:
    """A figure of one of our ways, at most so many times a peer's; of nobody's if it is a bound."""

    figure: str
    ours: str
    most: float
    peer: str | None = None
    clients: tuple[int, ...] = (1000,)
    compression: tuple[bool, ...] = (False,)

    def holds_at(self, clients: int, compression: bool) -> bool:
        return clients in self.clients and compression in self.compression

    def judge(self, middle: Callable[[str, str], float], names: list[str]) -> bool:
        """Say whether it was met; one whose servers weren't measured says nothing."""
        if {self.ours, self.peer or self.ours} - set(names):
            return True
        got = middle(self.ours, self.figure) / (middle(self.peer, self.figure) if self.peer else 1)
        met = got <= self.most
        of = f"{self.peer}'s" if self.peer else "in all"
        print(
            f"{'pass' if met else 'FAIL'}: {self.figure} of {self.ours} {got:.2f} {of}, "
            f"at most {self.most:g}",
            flush=True,
        )
        return met


AIMS = (
    Aim("us", "ours", 0.5, "fastapi"),
    Aim("us", "ours", 1.0, "websockets"),
    Aim("us", "ours", 1.4, "picows"),
    Aim("us", "public", 1.33, "fastapi"),
    Aim("us", "ours", 0.33, "fastapi", compression=(True,)),
    Aim("p99", "ours", 0.7, "fastapi"),
    Aim("p99", "ours", 1.5, "picows"),
    Aim("kib", "ours", 48, clients=(1000, 4000, 10_000), compression=(False, True)),
    Aim("lost", "ours", 0, clients=(100, 1000, 4000, 10_000), compression=(False, True)),
)


class Crowd:
    """Raw sockets, each a WebSocket that only listens."""

    def __init__(self, port: int, count: int, *, compression: bool) -> None:
        self._poll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._rest: dict[int, bytes] = defaultdict(bytes)
        self._inflaters: dict[int, zlib._Decompress] = {}
        # A new one for each read would be mapped and unmapped: four times the work of reading.
        self._read = bytearray(ROOM)
        self.seen = 0
        """Events seen by all together, since `reset`."""
        self.late: list[float] = []
        self.lost = 0
        """Connections that the server ended."""
        for number in range(count):
            inflating = number % max(1, count // INFLATED) == 0
            self._join(port, compression=compression, inflating=inflating)

    def _join(self, port: int, *, compression: bool, inflating: bool) -> None:
        extra = "Sec-WebSocket-Extensions: permessage-deflate\r\n" if compression else ""
        plug = socket.create_connection(("127.0.0.1", port))
        plug.sendall(
            (
                f"GET /api/v1/ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                f"Sec-WebSocket-Version: 13\r\n{extra}\r\n"
            ).encode()
        )
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += plug.recv(4096)
        if b" 101 " not in answer.partition(b"\r\n")[0]:
            raise RuntimeError(answer.decode())
        plug.setblocking(False)
        self._sockets[plug.fileno()] = plug
        self._rest[plug.fileno()] = answer.partition(b"\r\n\r\n")[2]
        self._poll.register(plug.fileno(), select.EPOLLIN)
        if inflating:
            self._inflaters[plug.fileno()] = zlib.decompressobj(wbits=-zlib.MAX_WBITS)

    def settle(self) -> None:
        """Read what is there, such as a welcome, until nothing comes for a moment."""
        while self.read(0.3):
            pass
        self.seen, self.late = 0, []

    def read(self, seconds: float) -> bool:
        """Read what comes; say whether anything did."""
        ready = self._poll.poll(seconds)
        for number, _ in ready:
            try:
                size = self._sockets[number].recv_into(self._read)
            except ConnectionError:
                size = 0
            if size:
                self._count(number, self._rest[number] + self._read[:size])
            else:
                self._poll.unregister(number)
                self.lost += 1
        return bool(ready)

    def _count(self, number: int, data: bytes) -> None:
        now, at, end = time.monotonic_ns(), 0, len(data)
        while end - at >= 2:
            size, head = data[at + 1], 2
            if size >= 126 and end - at < 10:
                break
            if size == 126:
                size, head = int.from_bytes(data[at + 2 : at + 4]), 4
            elif size == 127:
                size, head = int.from_bytes(data[at + 2 : at + 10]), 10
            if end - at < head + size:
                break
            if data[at] & 15 == PING:
                self._sockets[number].send(PONG)
                at += head + size
                continue
            if data[at] & DEFLATED:
                self.seen += 1
                if inflater := self._inflaters.get(number):
                    text = inflater.decompress(data[at + head : at + head + size] + FLUSHED)
                    self._note(text, text.find(MARK), now)
            elif (mark := data.find(MARK, at, at + head + size)) > 0:
                self.seen += 1
                self._note(data, mark, now)
            at += head + size
        self._rest[number] = data[at:]

    def _note(self, data: bytes, mark: int, now: int) -> None:
        if mark > 0:
            made = int(data[mark + len(MARK) : mark + len(MARK) + DIGITS])
            self.late.append((now - made) / 1e6)

    def close(self) -> None:
        for plug in self._sockets.values():
            plug.close()
        self._poll.close()


class Server:
    """One of the servers, in a process on a core of its own."""

    def __init__(self, name: str) -> None:
        self.process = subprocess.Popen(
            [*PINNED, sys.executable, "-m", "benchmarks.fanout_servers", name],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._put_off: list[str] = []
        """Answers to what was asked before a number."""
        self.port = int(self.answer())
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        time.sleep(1.0)

    def answer(self) -> str:
        assert self.process.stdout
        line = self._put_off.pop(0) if self._put_off else self.process.stdout.readline()
        assert line, "the server has ended"
        return line

    def say(self, **command: Any) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def memory(self) -> int:
        return self.number("memory")

    def number(self, name: str) -> int:
        self.say(**{name: True})
        while (line := self.answer()).startswith("{"):
            self._put_off.append(line)
        return int(line)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def spread(server: Server, crowd: Crowd, clients: int, count: int, rate: float) -> dict[str, float]:
    """Have so many events sent to everyone; return the server's figures."""
    crowd.seen, crowd.late = 0, []
    server.say(count=count, rate=rate)
    told, quiet = 0, time.monotonic()
    while crowd.seen < count * clients:
        if crowd.read(0.2):
            quiet = time.monotonic()
        elif time.monotonic() - quiet > 20:
            break
        if (seen := crowd.seen // clients) >= told + 5:
            told = seen
            server.say(seen=seen)
    server.say(seen=count)
    figures: dict[str, float] = json.loads(server.answer())
    figures["delivered"] = crowd.seen / (count * clients)
    return figures


def round_of(name: str, clients: int, messages: int, *, compression: bool) -> dict[str, float]:
    """Measure one server once."""
    server = Server(name)
    try:
        before = server.memory()
        crowd = Crowd(server.port, clients, compression=compression)
        crowd.settle()
        held = (server.memory() - before) / clients / 1024
        many = max(20, messages // clients)
        flat = spread(server, crowd, clients, many, 0)
        calm = spread(server, crowd, clients, 50 if clients <= 1000 else 20, 10)
        late = sorted(crowd.late) or [float("nan")]
        lost = crowd.lost
        crowd.close()
        return {
            "us": flat["cpu"] * 1e6 / many / clients,
            "p50": late[len(late) // 2],
            "p99": late[len(late) * 99 // 100],
            "kib": held,
            "delivered": min(flat["delivered"], calm["delivered"]),
            "lost": 1 - min(flat["delivered"], calm["delivered"]) + lost,
        }
    finally:
        server.end()


def measure(
    names: list[str], clients: int, rounds: int, messages: int, *, compression: bool
) -> bool:
    """Print a table of medians and ratios to the seed's design, and what of our aims was met.

    Returns whether all was.
    """
    found: dict[str, list[dict[str, float]]] = defaultdict(list)
    for _ in range(rounds):
        for name in names:
            found[name].append(round_of(name, clients, messages, compression=compression))
    what = ", compression offered" if compression else ""
    print(f"\n{clients} clients{what} (medians of {rounds})\n")
    print("| server | CPU µs | of fastapi's | p50 ms | p99 ms | of fastapi's | KiB | delivered |")
    print("|---|---|---|---|---|---|---|---|")

    def middle(name: str, figure: str) -> float:
        return statistics.median(one[figure] for one in found[name])

    peer = "fastapi" if "fastapi" in names else names[0]
    for name in names:
        us, p99 = middle(name, "us"), middle(name, "p99")
        whole = min(one["delivered"] for one in found[name])
        print(
            f"| {name} | {us:.1f} | {us / middle(peer, 'us'):.2f} | {middle(name, 'p50'):.1f} | "
            f"{p99:.1f} | {p99 / middle(peer, 'p99'):.2f} | {middle(name, 'kib'):.0f} | "
            f"{whole:.2%} |",
            flush=True,
        )
    print()
    met = [aim.judge(middle, names) for aim in AIMS if aim.holds_at(clients, compression)]
    return all(met)


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="One server, many listeners.")
    parser.add_argument("--clients", type=int, nargs="+", default=[100, 1000, 4000, 10_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=200_000, help="flat out, to all together")
    parser.add_argument("--stuck", action="store_true", help="measure clients that never read")
    parser.add_argument("--servers", nargs="+", default=list(SERVERS))
    given = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 20_000)), hard))
    os.sched_setaffinity(0, {CLIENT_CORE})
    if given.stuck:
        from benchmarks import stuck

        return int(not stuck.measure(given.rounds))
    kept = True
    for clients in given.clients:
        for compression in (False, True) if clients == 1000 else (False,):
            kept &= measure(
                given.servers, clients, given.rounds, given.messages, compression=compression
            )
    return int(not kept)


if __name__ == "__main__":
    sys.exit(main())
