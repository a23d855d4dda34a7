"""One stream from one input device: mono sound, as fast as the device gives it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from backend.hearing import RATE
from backend.sources import SourceError
from backend.sources.portaudio import Device, close_stream, find, open_stream, takes

BLOCK = 0.032
"""Seconds of sound PortAudio gives at a time."""
FEW = 2
"""Channels asked of a device that shows more than `MANY`."""
MANY = 8
"""Channels up to which a device is taken at its word: sound servers show 32 and more of a
microphone that has one, and mix what is asked of them."""
FIRST = 5.0
"""Seconds in which the first block must come; a wireless microphone has to be woken."""
LONGEST_PAUSE = 2.0
"""Seconds without a block after which a device is dead, whatever PortAudio thinks."""

Mono = npt.NDArray[np.int16]
"""Shape ``(samples, 1)``."""


class Tap:
    """Chosen when made, running between `open` and `close`."""

    def __init__(self, wanted: int | str | None, channel: int | None) -> None:
        """Choose the device, and how it gives its sound. Raises `SourceError`.

        Args:
            wanted: the device's id or name; None is the system's default.
            channel: the one to listen to, counted from 1; None is the mean of all.

        """
        self.device = find(wanted)
        self.overruns = 0
        """Blocks before which PortAudio lost some sound."""
        if channel and channel > self.device.channels:
            count = self.device.channels
            has = "one channel" if count == 1 else f"{count} channels"
            raise SourceError(
                f"the microphone {self.device.name!r} has {has}, so there is no audio.channel "
                f"{channel}; null hears all of them"
            )
        self._channel = channel
        self.rate, self.channels = _way(self.device, channel)
        self._stream: Any = None
        self._take: Callable[[Mono], None]
        self._finished = False
        self._fresh = False
        self._quiet = 0.0
        self._patience = FIRST

    def is_dead(self, passed: float) -> bool:
        """Whether it won't give any more sound, to be asked again and again.

        Args:
            passed: seconds since the last call. What its caller didn't sleep through counts, no
                clock: a machine or a process that was suspended gave the device no chance.

        """
        self._quiet = 0 if self._fresh else self._quiet + passed
        self._fresh = False
        return self._finished or self._quiet > self._patience

    def open(self, take: Callable[[Mono], None]) -> None:
        """Begin to pass sound on, from PortAudio's own thread. Raises `SourceError`.

        Args:
            take: gets each block, and must never wait.

        """
        self._take = take
        try:
            self._stream = open_stream(
                self.device,
                samplerate=self.rate,
                blocksize=round(self.rate * BLOCK),
                channels=self.channels,
                dtype="int16",
                callback=self._hear,
                finished_callback=self._finish,
            )
        except SourceError as error:
            raise SourceError(
                f"the microphone {self.device.name!r} can't be opened: {error}; is it plugged in, "
                "and may this program use it?"
            ) from error

    def close(self) -> None:
        """Let go of the device."""
        stream, self._stream = self._stream, None
        if stream:
            close_stream(stream)

    def _hear(self, sound: npt.NDArray[np.int16], count: int, when: Any, status: Any) -> None:
        self._fresh = True
        self._patience = LONGEST_PAUSE
        if status.input_overflow:
            self.overruns += 1
        self._take(_mono(sound, self._channel))

    def _finish(self) -> None:
        self._finished = True


def _mono(sound: npt.NDArray[np.int16], channel: int | None) -> Mono:
    """Return a copy of one channel, or the mean of all."""
    if channel:
        return sound[:, channel - 1 : channel].copy()
    if sound.shape[1] == 1:
        return sound.copy()
    mean: Mono = np.rint(sound.mean(axis=1, keepdims=True)).astype(np.int16)
    return mean


def _way(device: Device, channel: int | None) -> tuple[int, int]:
    """Return the best rate and number of channels that a device takes. Raises `SourceError`."""
    for rate in (RATE, device.sample_rate):
        for channels in _counts(device, channel):
            if takes(device, rate, channels):
                return rate, channels
    raise SourceError(
        f"the microphone {device.name!r} can't be opened at {device.sample_rate} Hz: is another "
        "program holding it? stt-server devices lists the others"
    )


def _counts(device: Device, channel: int | None) -> list[int]:
    """Numbers of channels to try, the best first: some devices give all or none."""
    count = device.channels
    few = min(count, max(FEW, channel or 0))
    if channel:
        # A single one of several may be any of them, or a mix: the last resort.
        counts = [count, few] if count <= MANY else [few, count]
        return counts if channel > 1 else [*counts, 1]
    return [count, few, 1] if count <= MANY else [1, few, count]
