"""Who may come in: the token, the names and origins of web pages, and how often.

The token guards a server that has one. A server without one listens to this machine or to a
trusted network, and its danger is a browser there: a page of another origin that reaches for it,
or a name of the page's own that was made to point here (DNS rebinding). So origins are checked,
and, where no token does, the name by which the server was called.
"""

import base64
import binascii
import secrets
import socket
import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from backend.problems import foreign_host, foreign_origin, too_often, unauthorized
from backend.settings import Settings

SUBPROTOCOL = "stt.v1"
"""What a browser's socket speaks; offered beside the token, and the one that is accepted."""
BURST = 4.0
"""Seconds' worth of requests that may come at once."""
ADDRESSES = 4096
"""Addresses remembered, the longest idle forgotten first."""


def check_token(
    settings: Settings, authorization: str | None, subprotocols: Iterable[str] = ()
) -> None:
    """Raise `Problem` 401 unless the token is among what the client sent, or none is wanted.

    Args:
        settings: whether a token is wanted, and which.
        authorization: the header of that name.
        subprotocols: those offered by a WebSocket client.

    """
    if not settings.auth_enabled:
        return
    expected = settings.auth_token.encode()
    if not any(
        secrets.compare_digest(token, expected) for token in _tokens(authorization, subprotocols)
    ):
        raise unauthorized()


def _tokens(authorization: str | None, subprotocols: Iterable[str]) -> Iterable[bytes]:
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() == "bearer":
        yield token.strip().encode()
    for offered in subprotocols:
        if offered.startswith("bearer."):
            text = offered.removeprefix("bearer.")
            try:
                yield base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            except (binascii.Error, ValueError):
                continue


def check_origin(settings: Settings, origin: str | None, host: str | None) -> None:
    """Raise `Problem` 403 for a web page that isn't the server's own nor on the list.

    No ``Origin`` means no browser, or a page of the server's own, which are welcome.

    Args:
        settings: the list, and whether a token is wanted.
        origin: the header of that name.
        host: the header of that name.

    """
    if "*" in settings.cors_origins:
        return
    if not settings.auth_enabled and host and not _is_ours(host, settings):
        raise foreign_host(host)
    if not origin or origin in settings.cors_origins:
        return
    try:
        own = urlsplit(origin).netloc.lower() == (host or "").lower() != ""
    except ValueError:
        own = False
    if not own:
        raise foreign_origin(origin)


def _is_ours(host: str, settings: Settings) -> bool:
    """Whether a name can only mean this machine: no stranger can have it point elsewhere first."""
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return False
    if _is_number(name):
        return True
    machine = socket.gethostname().lower()
    known = {"localhost", settings.host.lower(), machine, machine.partition(".")[0]}
    listed = {urlsplit(origin).hostname for origin in settings.cors_origins}
    return name in known | listed or name.endswith((".localhost", ".local"))


@lru_cache(maxsize=64)
def _is_number(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def cors_headers(settings: Settings, origin: str | None) -> dict[str, str]:
    """Return what lets a page of a listed origin read the answer; nothing for others."""
    if not origin or not {"*", origin} & set(settings.cors_origins):
        return {}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
        "Access-Control-Allow-Headers": "Authorization, Content-Type",
        "Access-Control-Max-Age": "600",
        "Vary": "Origin",
    }


class Pace:
    """How often each address asks: a token bucket each, of `BURST` seconds' requests."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Set up.

        Args:
            rate: requests a second; 0 for no limit.
            clock: seconds.

        """
        self._rate = rate
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}

    def check(self, address: str) -> None:
        """Count a request. Raises `Problem` 429 if it is one too many."""
        if not self._rate:
            return
        now = self._clock()
        left, last = self._left.pop(address, (self._rate * BURST, now))
        left = min(self._rate * BURST, left + (now - last) * self._rate)
        fits = left >= 1
        self._left[address] = (left - fits, now)
        if len(self._left) > ADDRESSES:
            del self._left[next(iter(self._left))]
        if not fits:
            raise too_often(self._rate, (1 - left) / self._rate)
