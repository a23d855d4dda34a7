"""What both sides say: events, profiles, REST shapes and the Python client.

Imports neither side of the wire, nor Quart, Textual or numpy.
"""

VERSION: str
"""The version of the installed distribution, as told in ``/health`` and ``welcome``."""

PROTOCOL = 1
"""Grows when a reader of the event stream must change; new events and fields don't count."""


def __getattr__(name: str) -> str:
    # Looking it up takes longer than all else that the console's start needs of this package.
    if name != "VERSION":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version

    try:
        found = version("realtime-mlx-stt")
    except PackageNotFoundError:
        found = "0+unknown"
    globals()["VERSION"] = found
    return found
