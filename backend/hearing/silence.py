"""Digital silence: sound that is nothing but zeros, which no working microphone gives. Pure."""

from backend.hearing import Block
from backend.hearing.news import FellSilent, Sounded

SOON = 1.8
"""Seconds of zeros that are worth telling, so that it is told within two."""
OFTEN = 3
"""Silences after which a source is known to be silent now and then: some microphones take noise
out so well that every pause is zeros."""
LATE = 30.0
"""Seconds of zeros that are worth telling of such a source."""


class Silence:
    """One stream's. Time is counted in samples."""

    def __init__(self, rate: int) -> None:
        """Set up for a source's blocks, of `rate` samples a second."""
        self._rate = rate
        self._zeros = 0
        self._told = False
        self._times = 0

    def hear(self, block: Block) -> FellSilent | Sounded | None:
        """Take the next block; return what has changed with it: each silence is told once."""
        if block.any():
            over = self._told
            self.forget()
            return Sounded() if over else None
        self._zeros += len(block)
        seconds = self._zeros / self._rate
        if self._told or seconds < (SOON if self._times < OFTEN else LATE):
            return None
        self._told = True
        self._times += 1
        return FellSilent(seconds)

    def forget(self) -> None:
        """Count from nothing: the sound was broken off."""
        self._zeros, self._told = 0, False
