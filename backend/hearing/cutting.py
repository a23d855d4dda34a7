"""Where too long an utterance is cut. Pure."""

import numpy as np

from backend.hearing import FRAME, RATE

CUT_WITHIN = 5.0
"""Seconds at the end of a too long utterance in which the quietest place is sought, but not
more than its last third."""
QUIET = 4
"""Frames over which a place's quietness is judged: less than a pause between words, more than
the closure of a plosive."""


def quietest(powers: list[float]) -> int:
    """Return how many frames to cut off, so that the cut falls in the quietest place.

    Looks at the end of the frames, as `CUT_WITHIN` says; of places equally quiet it takes
    the last. At least `QUIET` frames stay on either side.

    Args:
        powers: mean square of each frame, at least ``3 * QUIET`` of them.

    """
    within = max(2 * QUIET, min(round(CUT_WITHIN * RATE / FRAME), len(powers) // 3))
    smooth = np.convolve(powers[-within:], np.ones(QUIET), mode="valid")
    latest = int(np.argmin(smooth[::-1]))
    return len(powers) - QUIET // 2 - latest
