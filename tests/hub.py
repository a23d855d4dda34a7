"""A loopback server that speaks the model hub's protocol, as far as its client asks for it."""

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote, urlsplit

REVISION = "0123456789abcdef0123456789abcdef01234567"


def git_sum(data: bytes) -> str:
    """Return the hash under which git keeps a file."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@dataclass
class Hub:
    """The hub: its repositories, and how badly its lines behave."""

    url: str = ""
    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path and range of every request."""
    tokens: list[tuple[str, str]] = field(default_factory=list)
    """Path and authorization of every request."""
    cut_at: list[int] = field(default_factory=list)
    """After how many bytes each of the next downloads of weights is cut."""
    gate: threading.Event = field(default_factory=threading.Event)
    """Weights wait half-way until it is set."""
    half_way: threading.Event = field(default_factory=threading.Event)
    """Set when weights do."""
    garbled: bool = False
    """The weights come with a wrong byte in them."""

    def __post_init__(self) -> None:
        self.gate.set()

    def add(self, name: str, folder: Path) -> None:
        files = ("config.json", "README.md", "weights.npz", "weights.safetensors")
        self.repositories[name] = {
            file: (folder / file).read_bytes() for file in files if (folder / file).is_file()
        }

    @property
    def ranges(self) -> list[str]:
        """The ranges that weights were asked for; empty for all of them."""
        return [ask[2] for ask in self.asked if ask[0] == "GET" and "/cdn/" in ask[1]]


class _Answer(BaseHTTPRequestHandler):
    hub: ClassVar[Hub]
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append((self.command, path, self.headers.get("Range", "")))
        self.hub.tokens.append((path, self.headers.get("Authorization", "")))
        parts = path.strip("/").split("/")
        if path == "/":
            self._send(200, b"the hub")
        elif parts[:2] == ["api", "models"] and parts[4:5] == ["revision"]:
            self._tell_of("/".join(parts[2:4]))
        elif parts[2:3] == ["resolve"]:
            self._resolve("/".join(parts[:2]), parts[4])
        elif parts[0] == "cdn":
            self._give(self.hub.repositories["/".join(parts[1:3])][parts[3]])
        else:
            self._send(404, b"")

    def _tell_of(self, name: str) -> None:
        files = self.hub.repositories.get(name)
        if files is None:
            self._send(401, b"{}", {"X-Error-Code": "RepoNotFound"})
            return
        told = {"id": name, "modelId": name, "sha": REVISION, "private": False}
        told["siblings"] = [{"rfilename": file} for file in files]  # type: ignore[assignment]
        self._send(200, json.dumps(told).encode(), {"Content-Type": "application/json"})

    def _resolve(self, name: str, file: str) -> None:
        data = self.hub.repositories.get(name, {}).get(file)
        if data is None:
            self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
        elif file.startswith("weights"):
            large = {
                "X-Repo-Commit": REVISION,
                "X-Linked-Size": str(len(data)),
                "X-Linked-ETag": f'"{hashlib.sha256(data).hexdigest()}"',
                # Large files lie on another host, which is asked without the hub's token.
                "Location": f"{self.hub.url.replace('127.0.0.1', 'localhost')}/cdn/{name}/{file}",
            }
            self._send(302, b"", large)
        else:
            self._send(200, data, {"X-Repo-Commit": REVISION, "ETag": f'"{git_sum(data)}"'})

    def _give(self, data: bytes) -> None:
        if self.hub.garbled:
            data = data[:-100] + bytes([data[-100] ^ 1]) + data[-99:]
        start = int(self.headers.get("Range", "bytes=0-")[6:].rstrip("-"))
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        end = self.hub.cut_at.pop(0) if self.hub.cut_at else len(data)
        middle = max(start, end // 2)
        self.wfile.write(data[start:middle])
        self.wfile.flush()
        if not self.hub.gate.is_set():
            self.hub.half_way.set()
            self.hub.gate.wait(30)
        self.wfile.write(data[middle:end])
        self.close_connection = end < len(data)

    def _send(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def handle(self) -> None:
        try:
            super().handle()
        except (BrokenPipeError, ConnectionResetError):
            pass  # Who asked has gone away, as the tests want.

    def log_message(self, *given: object) -> None:
        pass


@contextmanager
def serving_hub() -> Iterator[Hub]:
    """Serve a hub for the length of a ``with`` block."""
    hub = Hub()
    answer = type("_", (_Answer,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), answer)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield hub
    finally:
        hub.gate.set()
        server.shutdown()
        thread.join()
        server.server_close()


def until_kept(cache: Path) -> None:
    """Return once some of a download is on disk."""
    deadline = time.monotonic() + 30
    while not any(half.stat().st_size for half in cache.rglob("*.incomplete")):
        assert time.monotonic() < deadline, "nothing comes"
