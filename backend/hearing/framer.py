"""A source's blocks, of any size, rate and channels, made into frames."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from soxr import ResampleStream

from backend.hearing import FRAME, RATE, Block, Samples

QUALITY = "HQ"
"""Soxr's recipe: flat to 7.3 kHz. It holds back 30 to 90 ms of sound, as the others do."""


class Framer:
    """One stream's framer. Not thread-safe.

    Resamples as one stream, so that blocks leave no seams.
    """

    def __init__(self, rate: float, channels: int, gain: float = 1.0) -> None:
        """Set up for a source's blocks.

        Args:
            rate: samples a second of the blocks; needn't be whole.
            channels: of the blocks; their mean is heard.
            gain: factor on the samples; what is then too loud is clipped.

        Raises ValueError for a rate or number of channels that isn't positive.

        """
        if not rate > 0 or channels < 1:
            raise ValueError(f"{rate} samples a second on {channels} channels is no sound")
        self._channels = channels
        self.gain = gain
        """May be changed between blocks."""
        self._resampler = (
            ResampleStream(rate, RATE, 1, "float32", QUALITY) if rate != RATE else None
        )
        self._rest: Samples = np.empty(0, np.int16)

    def frames(self, block: Block) -> Iterator[Samples]:
        """Give the frames that a block completes.

        Args:
            block: the next sound, shape ``(samples, channels)``.

        """
        return self._cut(self._mono(block))

    def drain(self) -> Iterator[Samples]:
        """Give what is held back, the last frame filled up with zeros.

        The next block begins another stream.
        """
        sound: Samples = np.empty(0, np.int16)
        if self._resampler:
            rest = self._resampler.resample_chunk(np.empty(0, np.float32), last=True)
            sound = self._to_int16(rest)
            self._resampler.clear()
        missing = -(len(self._rest) + len(sound)) % FRAME
        yield from self._cut(np.concatenate([sound, np.zeros(missing, np.int16)]))

    def _mono(self, block: Block) -> Samples:
        as_wanted = self._resampler is None and self.gain == 1 and self._channels == 1
        if as_wanted and block.dtype == np.int16:
            return block[:, 0].astype(np.int16, copy=False)
        sound = block.astype(np.float32)
        if block.dtype == np.int16:
            sound /= 32768
        mono = sound.mean(axis=1) if self._channels > 1 else sound[:, 0]
        if self._resampler:
            mono = self._resampler.resample_chunk(np.ascontiguousarray(mono))
        return self._to_int16(mono)

    def _to_int16(self, sound: npt.NDArray[np.float32]) -> Samples:
        scaled = np.rint(sound * (32768 * self.gain))
        samples: Samples = np.clip(scaled, -32768, 32767).astype(np.int16)
        return samples

    def _cut(self, sound: Samples) -> Iterator[Samples]:
        sound = np.concatenate([self._rest, sound])
        whole = len(sound) - len(sound) % FRAME
        self._rest = sound[whole:]
        return (sound[begin : begin + FRAME] for begin in range(0, whole, FRAME))
