"""The REST shapes of sinks: who outside is told what was said, and how that goes."""

from typing import Literal

from common.events import Shape


class SinkStatus(Shape):
    """How far a sink has come."""

    name: str
    """``webhook``, ``redis`` or ``postgres``."""
    target: str
    """Where it leads, without passwords."""
    state: Literal["connecting", "up", "failing"]
    fault: str | None = None
    """Why it fails, and how to mend it."""
    seq: int | None = None
    """The number of the last final that was delivered; null before it began."""
    lag: int
    """Finals that wait to be delivered."""
    delivered: int
    """Finals delivered since the server came up."""
    letters: int
    """Finals that were not taken and are kept aside."""
    gap: bool = False
    """History has let go of finals before they were delivered."""


class SinkList(Shape):
    """``GET /api/v1/system/sinks``"""

    sinks: list[SinkStatus]


class Letter(Shape):
    """A final that a sink did not take."""

    seq: int
    text: str
    fault: str
    """Why it wasn't taken."""
    tries: int
    given_up: float
    """Unix seconds."""
    again: bool
    """It is about to be tried again."""


class Letters(Shape):
    """``GET /api/v1/system/sinks/{name}/letters``: the oldest first, 1000 at most."""

    letters: list[Letter]


class Requeued(Shape):
    """What was put up to be tried again."""

    requeued: int
