"""The first that sees a request: which number it has, and whose it is.

A number names a request in the log, in the header ``X-Request-ID`` of its answer and in the body of
a 500. A proxy's own is taken over. The address that limits count is the proxy's too, unless it is
one that the settings trust: then it is the one that the proxy was asked from.
"""

import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

log = logging.getLogger(__name__)

Message = dict[str, Any]
Network = IPv4Network | IPv6Network

NUMBER: ContextVar[str] = ContextVar("request", default="")
"""The number of the request that is served; empty where none is."""
SANE = re.compile(r"[\w.:+/=-]{1,128}", re.ASCII)
"""What a number that somebody else gave may be: it goes into logs and headers."""
HEADER = b"x-request-id"


def number(given: str) -> str:
    """Return the number that a request came with, if it is sane, or a new one."""
    return given if SANE.fullmatch(given) else secrets.token_hex(6)


def caller(peer: str, forwarded: str, trusted: Sequence[Network]) -> str:
    """Return the address that a request is from.

    Args:
        peer: the address at the other end of the connection.
        forwarded: ``X-Forwarded-For``, to which each proxy has appended the address it was asked
            from; what stands before that of the first untrusted one may be made up.
        trusted: the proxies.

    """
    for text in reversed(forwarded.split(",")):
        if not _is_among(peer, trusted):
            break
        try:
            peer = str(ip_address(text.strip()))
        except ValueError:
            break
    return peer


def _is_among(address: str, networks: Sequence[Network]) -> bool:
    try:
        parsed: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in networks)


class Front:
    """ASGI middleware around everything else."""

    def __init__(
        self,
        inner: Callable[[Any, Any, Any], Awaitable[None]],
        trusted: Sequence[Network] = (),
    ) -> None:
        self._inner = inner
        self._trusted = trusted

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._inner(scope, receive, send)
            return
        now = number(_header(scope, HEADER))
        told = NUMBER.set(now)
        try:
            # A WebSocket's own `send` leads past ASGI (`backend.wire`): it tells the number itself.
            answer = send if scope["type"] == "websocket" else _telling(send, scope, now)
            await self._inner(self._seen(scope), receive, answer)
        finally:
            NUMBER.reset(told)

    def _seen(self, scope: Message) -> Message:
        """Return the request as the proxy in front of us got it, if there is one to be trusted."""
        peer = (scope.get("client") or ("",))[0]
        if not self._trusted or not _is_among(peer, self._trusted):
            return scope
        address = caller(peer, _header(scope, b"x-forwarded-for"), self._trusted)
        seen = {**scope, "client": (address, 0)}
        if _header(scope, b"x-forwarded-proto") == "https":
            seen["scheme"] = "https" if scope["type"] == "http" else "wss"
        return seen


def _header(scope: Message, name: bytes) -> str:
    """Return a header's value; several of one name are one list."""
    found = [value for key, value in scope["headers"] if key.lower() == name]
    return b",".join(found).decode("latin-1")


def _telling(send: Any, scope: Message, now: str) -> Callable[[Message], Awaitable[None]]:
    async def tell(message: Message) -> None:
        if message["type"] == "http.response.start":
            log.debug("%s %s: %d", scope["method"], scope["path"], message["status"])
            message = {**message, "headers": [*message["headers"], (HEADER, now.encode())]}
        await send(message)

    return tell
