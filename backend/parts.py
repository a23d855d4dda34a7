"""What the server is made of, for the routes to use."""

import time
from dataclasses import dataclass, field

from quart import current_app

from backend.bus import Bus
from backend.desks import Desks
from backend.hearing.ears import Ears
from backend.sessions import Sessions
from backend.settings import Settings


@dataclass
class Parts:
    """Everything that is alive while the server serves."""

    settings: Settings
    bus: Bus
    ears: Ears
    desks: Desks
    sessions: Sessions
    began: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, settings: Settings) -> "Parts":
        """Make them, on the event loop they shall live on."""
        bus, ears = Bus(), Ears()
        desks = Desks(bus)
        return cls(settings, bus, ears, desks, Sessions(settings, bus, ears, desks))

    @property
    def uptime(self) -> float:
        """Seconds since the start."""
        return round(time.monotonic() - self.began, 3)


def parts() -> Parts:
    """Return the parts of the app that serves the current request."""
    found: Parts = current_app.extensions["stt"]
    return found
