"""Sound that a client sends, in pieces of any length, by a socket or by REST."""

import asyncio
from typing import Literal

import numpy as np

from backend.hearing import Block
from backend.hearing.ears import Inlet
from backend.sources import finite

PIECE = 0.1
"""Seconds of sound put into the inlet at a time, so that one client's megabytes neither
overfill it nor keep the other streams waiting."""

Encoding = Literal["pcm_s16le", "pcm_f32le"]
"""How a client's samples are written: little-endian integers of 16 bits, or floats of 32."""


class StreamSource:
    """Bytes in, blocks out; a sample may be spread over two calls."""

    live = False
    overruns = 0

    def __init__(
        self, rate: int, channels: int = 1, encoding: Encoding = "pcm_s16le", name: str = "stream"
    ) -> None:
        """Describe the sound that will come.

        Args:
            rate: samples a second.
            channels: interleaved.
            encoding: of each sample.
            name: ``stream`` or ``upload``.

        """
        self.name = name
        self.device: str | None = None
        self.rate = rate
        self.channels = channels
        self._type = np.dtype("<i2" if encoding == "pcm_s16le" else "<f4")
        self._as_heard = self._type == np.int16
        self._sample = self._type.itemsize * channels
        self._piece = max(1, round(rate * PIECE)) * self._sample
        self._rest = b""
        self._inlet: Inlet | None = None
        self._turn = asyncio.Lock()

    @property
    def leftover(self) -> int:
        """Bytes of a sample that isn't complete yet; at the end, of one that was cut."""
        return len(self._rest)

    def open(self) -> None:
        """There is nothing to get ready."""

    def start(self, inlet: Inlet) -> None:
        """Push into this inlet from now on."""
        self._inlet = inlet

    def stop(self) -> None:
        """End the inlet. What has been fed is still heard."""
        self.end()

    def take(self, data: bytes) -> bool:
        """Push what a client sent if there is room for it at once; if not, False and nothing."""
        if self._inlet is None or self._turn.locked() or len(data) > self._piece:
            return False
        data = self._rest + data if self._rest else data
        whole = len(data) - len(data) % self._sample
        sound = data if whole == len(data) else data[:whole]
        if whole and not self._inlet.take(self._block(sound)):
            return False
        self._rest = data[whole:]
        return True

    async def feed(self, data: bytes) -> bool:
        """Push what a client sent, waiting for room; False if nobody listens any more.

        Calls take turns, so that each one's sound stays in one piece.
        """
        async with self._turn:
            if self._inlet is None:
                raise RuntimeError("the stream has not been started")
            data = self._rest + data if self._rest else data
            whole = len(data) - len(data) % self._sample
            self._rest = data[whole:]
            for begin in range(0, whole, self._piece):
                piece = memoryview(data)[begin : min(begin + self._piece, whole)]
                if not await self._inlet.feed(self._block(piece)):
                    return False
            return True

    def end(self, fault: Exception | None = None) -> str | None:
        """End the inlet; return a warning if the client's last sample was cut."""
        if self._inlet:
            self._inlet.end(fault)
        if not self._rest:
            return None
        return (
            f"the sound ended within a sample: {self.leftover} of its {self._sample} bytes came "
            "and were left out; check encoding and channels"
        )

    def _block(self, data: bytes | memoryview) -> Block:
        block = np.frombuffer(data, self._type).reshape(-1, self.channels)
        if self._as_heard:
            return block
        if block.dtype.kind == "i":
            return block.astype(np.int16, copy=False)
        return finite(block.astype(np.float32, copy=False))
