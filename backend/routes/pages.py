"""``/``: the web page, and the files it is made of. Open to all: there is no secret in them."""

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

from quart import Blueprint, Response, request

from backend.problems import not_found

pages = Blueprint("pages", __name__)

TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}
"""Content types by the ending of a file's name."""
HOST = re.compile(r"[A-Za-z0-9.-]+(:\d+)?")
"""A host as a policy can name it; an IPv6 address can't be."""


POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "connect-src 'self'"
)
"""The page loads nothing but its own files, and talks to nobody but its own server."""


@dataclass(frozen=True)
class File:
    """A file of a page."""

    content: bytes
    content_type: str
    etag: str

    @classmethod
    def of(cls, path: Traversable) -> "File | None":
        """Read a file; None for a kind that no page is made of."""
        kind = TYPES.get(path.name.rpartition(".")[2])
        if kind is None:
            return None
        content = path.read_bytes()
        return cls(content, kind, hashlib.sha256(content).hexdigest()[:16])


@cache
def files() -> dict[str, File]:
    """Return the page's files by name, read once."""
    folder = resources.files("backend").joinpath("web")
    found = {path.name: File.of(path) for path in folder.iterdir()}
    return {name: file for name, file in found.items() if file}


@pages.get("/")
async def show_page() -> Response:
    return await send(files()["index.html"], POLICY + _sockets(request.host))


@pages.get("/web/<name>")
async def show_file(name: str) -> Response:
    file = files().get(name)
    if file is None:
        raise not_found(f"the page has no file {name[:80]!r}")
    return await send(file, POLICY)


async def send(file: File, policy: str) -> Response:
    """Return a file as a response, or 304; the policy is what the page may load and do."""
    response = Response(file.content, content_type=file.content_type)
    response.headers.update(
        {
            "Cache-Control": "no-cache",
            "Content-Security-Policy": policy,
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "microphone=(self)",
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
        }
    )
    response.set_etag(file.etag)
    return await response.make_conditional(request)


def _sockets(host: str) -> str:
    """Older Safari doesn't count a page's own WebSockets as 'self'."""
    return f" ws://{host} wss://{host}" if HOST.fullmatch(host) else ""
