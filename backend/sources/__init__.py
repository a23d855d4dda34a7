"""Sources: where sound comes from. A microphone, a file, or a socket's frames."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from backend.hearing.ears import Inlet


class SourceError(Exception):
    """A source can't be opened or broke off. The text says why and how to mend it."""


class Source(Protocol):
    """Something that pushes blocks of sound into an inlet, from threads of its own."""

    name: str
    """``microphone``, ``file:PATH``, ``stream`` or ``upload``."""
    device: str | None
    """The input device's name, once opened."""
    rate: int
    """Samples a second of its blocks, once opened."""
    channels: int
    """Channels of its blocks, once opened."""
    live: bool
    """It is a microphone: silence made of nothing but zeros is a fault of it."""

    @property
    def overruns(self) -> int:
        """Blocks before which the audio system lost some sound."""

    def open(self) -> None:
        """Get ready: find the device or file. May block. Raises `SourceError`."""

    def start(self, inlet: Inlet) -> None:
        """Begin to push; ``inlet.end`` is called after the last block. Raises `SourceError`."""

    def stop(self) -> None:
        """Push no more, end the inlet and let go of the device. Returns when that is done.

        May be called at any time, and again; may block.
        """


def finite(sound: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return floats within -1 to 1: what is louder is clipped, what is no number is silence."""
    return np.clip(np.nan_to_num(sound, nan=0, posinf=0, neginf=0), -1, 1)
