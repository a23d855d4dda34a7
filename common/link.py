"""How the connection of an event stream is."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Link:
    """The state of the connection, as told to ``EventStream.on_link``."""

    state: Literal["connecting", "up", "waiting"]
    reason: str = ""
    """Why it is not up."""
    attempt: int = 0
    """How many tries have failed in a row."""
    retry_at: float | None = None
    """When the next try is made, in seconds of `time.monotonic`."""
