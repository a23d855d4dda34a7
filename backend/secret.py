"""What the settings of sinks hold: URLs with passwords in them, and a secret. Pure."""

import base64
import binascii
from urllib.parse import urlsplit

PREFIX = "whsec_"


def without_secrets(url: str) -> str:
    """Return a URL's scheme, host and path: the rest may hold passwords. Raises `ValueError`."""
    parsed = urlsplit(url)
    return f"{parsed.scheme}://{parsed.netloc.rpartition('@')[2]}{parsed.path}"


def key_of(secret: str) -> bytes:
    """Return the key that a secret is. Raises `ValueError` for a bad ``whsec_…``."""
    if not secret.startswith(PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError(f"after {PREFIX} comes base64: {error}") from error
