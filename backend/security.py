"""Who may come in: the token, on REST and on both sockets, and the origins of web pages."""

import base64
import binascii
import secrets
from collections.abc import Iterable
from urllib.parse import urlsplit

from backend.problems import foreign_origin, unauthorized
from backend.settings import Settings

SUBPROTOCOL = "stt.v1"
"""What a browser's socket speaks; offered beside the token, and the one that is accepted."""


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

    No ``Origin`` means no browser, which is welcome: it could claim any origin anyway.
    """
    if not origin or "*" in settings.cors_origins or origin in settings.cors_origins:
        return
    if host and urlsplit(origin).netloc.lower() == host.lower():
        return
    raise foreign_origin(origin)
