"""Widgets with a clock that only goes while they count something."""

from typing import ClassVar

from textual.reactive import var
from textual.widget import Widget


class Ticking(Widget):
    """A widget that redraws itself now and then, but only while it counts something."""

    PERIOD: ClassVar[float] = 1.0
    """Seconds."""

    ticking: var[bool] = var(False)

    def on_mount(self) -> None:
        self._clock = self.set_interval(self.PERIOD, self.refresh, pause=not self.ticking)

    def watch_ticking(self, ticking: bool) -> None:
        if self.is_mounted:
            self._clock.resume() if ticking else self._clock.pause()
