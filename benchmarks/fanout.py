"""One server, many listeners: what each event costs, how late it is, what each connection takes.

    python -m benchmarks.fanout [--clients 100 1000 4000 10000] [--rounds 5]

Ours (and its path without Hypercorn's inner types, "public"), the seed's own design (FastAPI under
uvicorn, `send_json` to each client in turn), `websockets.broadcast`, and picows, all in one run.
The server has one core, the clients the other; rounds are interleaved and medians told. An event
is 200 bytes. *CPU* is the server's for one event to one client, flat out; *p99* from the making of
an event to its arrival, at ten a second; *KiB* what a connection takes of the server's memory.
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
from collections import defaultdict
from typing import Any

from benchmarks.fanout_servers import SERVERS
from tests.running import ROOT

SERVER_CORE, CLIENT_CORE = 0, 1
PINNED = ("taskset", "-c", str(SERVER_CORE))
MARK = b'"details":"'
DIGITS = 20
PING = 9
PONG = b"\x8a\x80\0\0\0\0"


class Crowd:
    """Raw sockets, each a WebSocket that only listens."""

    def __init__(self, port: int, count: int, *, compression: bool) -> None:
        self._poll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._rest: dict[int, bytes] = defaultdict(bytes)
        self.seen = 0
        """Events seen by all together, since `reset`."""
        self.late: list[float] = []
        self.lost = 0
        """Connections that the server ended."""
        for _ in range(count):
            self._join(port, compression=compression)

    def _join(self, port: int, *, compression: bool) -> None:
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
                data = self._sockets[number].recv(1 << 18)
            except ConnectionError:
                data = b""
            if data:
                self._count(number, self._rest[number] + data)
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
            self.seen += 1
            mark = data.find(MARK, at, at + head + size)
            if mark > 0:
                made = int(data[mark + len(MARK) : mark + len(MARK) + DIGITS])
                self.late.append((now - made) / 1e6)
            at += head + size
        self._rest[number] = data[at:]

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
        return self.process.stdout.readline()

    def say(self, **command: Any) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def memory(self) -> int:
        self.say(memory=True)
        return int(self.answer())

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


def round_of(name: str, clients: int, *, compression: bool) -> dict[str, float]:
    """Measure one server once."""
    server = Server(name)
    try:
        before = server.memory()
        crowd = Crowd(server.port, clients, compression=compression)
        crowd.settle()
        held = (server.memory() - before) / clients / 1024
        many = max(20, 200_000 // clients)
        flat = spread(server, crowd, clients, many, 0)
        calm = spread(server, crowd, clients, 50 if clients <= 1000 else 20, 10)
        late = sorted(crowd.late) or [float("nan")]
        crowd.close()
        return {
            "us": flat["cpu"] * 1e6 / many / clients,
            "p50": late[len(late) // 2],
            "p99": late[len(late) * 99 // 100],
            "kib": held,
            "delivered": min(flat["delivered"], calm["delivered"]),
        }
    finally:
        server.end()


def measure(names: list[str], clients: int, rounds: int, *, compression: bool) -> None:
    """Print a table: medians over the rounds, and ratios to the seed's design."""
    found: dict[str, list[dict[str, float]]] = defaultdict(list)
    for _ in range(rounds):
        for name in names:
            found[name].append(round_of(name, clients, compression=compression))
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


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="One server, many listeners.")
    parser.add_argument("--clients", type=int, nargs="+", default=[100, 1000, 4000, 10_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--servers", nargs="+", default=list(SERVERS))
    given = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 20_000)), hard))
    os.sched_setaffinity(0, {CLIENT_CORE})
    for clients in given.clients:
        measure(given.servers, clients, given.rounds, compression=False)
        if clients == 1000:
            measure(given.servers, clients, given.rounds, compression=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
