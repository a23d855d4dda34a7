"""``/``: the web page, and the files it is made of. Open to all: there is no secret in them."""

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

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


@dataclass(frozen=True)
class File:
    """A file of the page."""

    content: bytes
    content_type: str
    etag: str


@cache
def files() -> dict[str, File]:
    """Return the page's files by name, read once."""
    found = {}
    for path in resources.files("backend").joinpath("web").iterdir():
        kind = TYPES.get(path.name.rpartition(".")[2])
        if kind:
            content = path.read_bytes()
            found[path.name] = File(content, kind, hashlib.sha256(content).hexdigest()[:16])
    return found


@pages.get("/")
async def show_page() -> Response:
    return await _sent("index.html")


@pages.get("/web/<name>")
async def show_file(name: str) -> Response:
    return await _sent(name)


async def _sent(name: str) -> Response:
    file = files().get(name)
    if file is None:
        raise not_found(f"the page has no file {name[:80]!r}")
    response = Response(file.content, content_type=file.content_type)
    response.headers.update(_headers(request.host))
    response.set_etag(file.etag)
    return await response.make_conditional(request)


def _headers(host: str) -> dict[str, str]:
    return {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": _policy(host),
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "microphone=(self)",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }


def _policy(host: str) -> str:
    # Older Safari doesn't count a page's own WebSockets as 'self'.
    sockets = f" ws://{host} wss://{host}" if HOST.fullmatch(host) else ""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        f"connect-src 'self'{sockets}; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'; require-trusted-types-for 'script'"
    )
