"""What was heard? Frames of sound in; levels, speech and utterances out."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

RATE = 16_000
"""Samples a second, everywhere behind the sources."""
FRAME = 512
"""Samples in a frame: 32 ms."""

Samples = npt.NDArray[np.int16]
"""Mono sound at `RATE`, shape ``(samples,)``. A frame is one of shape ``(FRAME,)``."""

Block = npt.NDArray[np.int16] | npt.NDArray[np.float32]
"""Sound as a source has it: shape ``(samples, channels)``; floats are within -1 to 1."""


@dataclass(frozen=True, slots=True)
class Scores:
    """How much a frame is like speech, each 0 to 1."""

    speech: float
    """The detector's verdict."""
    webrtc: float | None = None
    """WebRTC's vote, where it was asked."""
    silero: float | None = None
    """Silero's probability, where it was asked."""


class Detector(Protocol):
    """One frame in, one verdict out. Keeps the state of one stream."""

    start: float
    """`Scores.speech` from which a frame begins speech, together with another of the next two."""
    at_once: float
    """`Scores.speech` from which a single frame begins it; not below `start`."""
    hold: float
    """`Scores.speech` from which a frame continues it; not above `start`."""
    sure: float
    """`Scores.speech` that real speech reaches, if only for moments; not below `start`."""
    lag: int
    """Frames by which speech begins before the first that is scored as such."""

    def __call__(self, frame: Samples) -> Scores: ...
