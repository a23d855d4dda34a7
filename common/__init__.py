"""What both sides say: events, profiles, REST shapes and the Python client.

Imports neither side of the wire, nor Quart, Textual or numpy.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("realtime-mlx-stt")
except PackageNotFoundError:
    VERSION = "0+unknown"
"""The version of the installed distribution, as told in ``/health`` and ``welcome``."""

PROTOCOL = 1
"""Grows when a reader of the event stream must change; new events and fields don't count."""
