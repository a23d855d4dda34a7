"""How loud is the room? The least that sound sank to lately. Pure."""

from collections import deque

from backend.hearing import FRAME, RATE

FLOOR_RATIO = 2.0
"""How much more power than the least that was heard lately is still the room: 3 dB."""
FLOOR_MEAN = 4
"""Frames whose mean power is compared: one alone may fall between two periods of a voice."""
FLOOR_MEMORY = 3.0
"""Seconds of that "lately": longer than anyone speaks without a pause for breath or a stop."""


class NoiseFloor:
    """The least that the sound of a stream sank to lately, speech or not."""

    def __init__(self) -> None:
        self._last: deque[float] = deque(maxlen=FLOOR_MEAN)
        self._means: deque[float] = deque(maxlen=round(FLOOR_MEMORY * RATE / FRAME))

    def take(self, power: float) -> None:
        """Take the next frame's power, in any unit that stays the same."""
        self._last.append(power)
        self._means.append(sum(self._last) / len(self._last))

    @property
    def power(self) -> float:
        """Return the room's power; 0 before the first frame."""
        return min(self._means, default=0.0)

    def reached_by(self, power: float) -> bool:
        """Take the next frame's power; return whether it is no louder than the room."""
        self.take(power)
        return power < FLOOR_RATIO * self.power
