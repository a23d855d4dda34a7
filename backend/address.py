"""Can an address be listened on, and if not, is it one of ours that does?"""

import errno
import os
import socket


def taken(host: str, port: int) -> int | None:
    """Return why an address can't be listened on, as an errno; None if it can."""
    try:
        kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(kind, socket.SOCK_STREAM) as probe:
            if os.name == "posix":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror:
        return errno.EADDRNOTAVAIL
    except OSError as error:
        return error.errno
    return None


def is_ours(host: str, port: int) -> bool:
    """Whether a server of this kind listens there."""
    import httpx

    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    name = f"[{name}]" if ":" in name else name
    try:
        told = httpx.get(f"http://{name}:{port}/health", timeout=2, trust_env=False).json()
        return isinstance(told, dict) and told.get("status") == "healthy" and "version" in told
    except (httpx.HTTPError, ValueError):
        return False
