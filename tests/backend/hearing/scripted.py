"""A detector that says what it is told to, and what a segmenter makes of it."""

from collections.abc import Iterable, Sequence

import numpy as np

from backend.hearing import FRAME, Samples, Scores
from backend.hearing.heard import Heard, Loudness
from backend.hearing.segmenter import Segmenter
from common.profile import VadPart


class Scripted:
    start = 0.5
    at_once = 2.0
    hold = 0.35
    sure = 0.9
    lag = 0

    def __init__(self, scores: Iterable[float]) -> None:
        self._scores = iter(scores)

    def __call__(self, frame: Samples) -> Scores:
        return Scores(next(self._scores))


def numbered(frames: int) -> list[Samples]:
    """Return frames no two of whose samples are alike, as far as 16 bits go."""
    sound = (np.arange(frames * FRAME) % 65_536 - 32_768).astype(np.int16)
    return list(sound.reshape(frames, FRAME))


def segmented(
    scores: Sequence[float] | int,
    vad: VadPart | None = None,
    interval: float | None = None,
    frames: list[Samples] | None = None,
    flush: bool = True,
) -> list[Heard]:
    """Return what is heard, without levels; a number of frames means no detector."""
    count = scores if isinstance(scores, int) else len(scores)
    detector = None if isinstance(scores, int) else Scripted(scores)
    segmenter = Segmenter(detector, vad or VadPart(), interval)
    heard: list[Heard] = []
    for frame in frames or numbered(count):
        heard += segmenter.hear(frame)
    if flush:
        heard += segmenter.flush()
    return [thing for thing in heard if not isinstance(thing, Loudness)]
