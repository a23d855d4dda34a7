"""A microphone of this machine, which may be pulled out and come again."""

import logging
import threading
import time

import numpy as np
from soxr import ResampleStream

from backend.hearing import RATE
from backend.hearing.ears import Inlet
from backend.hearing.news import Lost, Overran, Returned
from backend.sources import SourceError
from backend.sources.lookout import EVERY, Lookout
from backend.sources.tap import Mono, Tap

log = logging.getLogger(__name__)

LOOK = 0.2
"""Seconds between two looks at whether the device still gives sound."""
SELDOM = 60.0
"""Seconds between two tellings of lost sound."""
RETRY = 10.0
"""Seconds until a search that failed, which found nothing out, is begun again."""
PARTING = 2.0
"""Seconds for which `stop` waits for the watching thread, which may be opening a device."""


class Microphone:
    """An input device: mono, at 16 kHz where it can, else at its own rate.

    When it disappears, the inlet is told `Lost` and stays open; a thread looks for the device
    about once a second, and goes on with it (`Returned`). One chosen by name or part of it is
    found by that again, one chosen by id by the name that it had, and where the default was asked
    for any default will do. Meanwhile no sound passes: the session's time stands still.
    """

    live = True

    def __init__(self, device: int | str | None = None, channel: int | None = None) -> None:
        """Name a device.

        Args:
            device: its id, its name or a part of the name; None is the system's default.
            channel: the one to listen to, counted from 1; None is the mean of all.

        """
        self.name = "microphone"
        self.device: str | None = None
        self.rate = RATE
        self.channels = 1
        self._wanted = device
        self._channel = channel
        self._tap: Tap | None = None
        self._inlet: Inlet
        self._resampler: ResampleStream | None = None
        self._overruns = 0
        self._told = (0, 0)
        self._told_at: float | None = None
        self._lookout: Lookout | None = None
        self._watcher: threading.Thread | None = None
        self._changing = threading.Lock()
        self._stopping = threading.Event()

    @property
    def overruns(self) -> int:
        """Blocks before which the audio system lost some sound."""
        tap = self._tap
        return self._overruns + (tap.overruns if tap else 0)

    def open(self) -> None:
        """Find the device, and how it gives its sound. Raises `SourceError`."""
        tap = Tap(self._wanted, self._channel)
        self.device, self.rate, self._tap = tap.device.name, tap.rate, tap

    def start(self, inlet: Inlet) -> None:
        """Begin to listen. Raises `SourceError`."""
        assert self._tap
        self._inlet = inlet
        self._told = (self.overruns, 0)
        self._stopping.clear()
        self._tap.open(self._hear)
        self._watcher = threading.Thread(target=self._watch, name="microphone", daemon=True)
        self._watcher.start()

    def stop(self) -> None:
        """Listen no more and let go of the device."""
        self._stopping.set()
        with self._changing:
            watcher, self._watcher = self._watcher, None
            lookout = self._lookout
        if lookout:
            lookout.end()
        if watcher:
            self._inlet.end()
        self._let_go()
        if watcher:
            watcher.join(PARTING)

    def _let_go(self) -> None:
        with self._changing:
            tap, self._tap = self._tap, None
            self._overruns += tap.overruns if tap else 0
        if tap:
            tap.close()

    def _hear(self, sound: Mono) -> None:
        """Queue a block. Called on PortAudio's own thread, which must never wait."""
        if self._resampler:
            sound = self._resampler.resample_chunk(sound[:, 0])[:, np.newaxis]
        self._inlet.offer(sound)

    # On the watching thread.

    def _watch(self) -> None:
        """Watch over the device until `stop`."""
        while not self._stopping.wait(LOOK):
            tap = self._tap
            self._tell_of_losses()
            if tap and tap.is_dead(LOOK):
                self._lose(tap)
                while not (self._stopping.is_set() or self._come_back()):
                    self._stopping.wait(EVERY)

    def _lose(self, tap: Tap) -> None:
        waiting = "a microphone" if self._wanted is None else "it"
        self._inlet.tell(
            Lost(
                f"the microphone {tap.device.name!r} is gone; waiting for {waiting} to come: plug "
                "it in again, or stop and choose another with audio.device"
            )
        )
        self._let_go()

    def _come_back(self) -> bool:
        """Wait for the device and go on with it; False to be tried again."""
        wanted = self.device if isinstance(self._wanted, int) else self._wanted
        with self._changing:
            if self._stopping.is_set():
                return False
            lookout = self._lookout = Lookout(wanted, self._channel)
        found = lookout.wait()
        if self._stopping.is_set():
            return False
        if not found:
            log.warning("looking for the microphone failed; trying again in %.0f s", RETRY)
            self._stopping.wait(RETRY)
            return False
        try:
            return self._go_on(Tap(wanted, self._channel))
        except SourceError as error:
            log.debug("the microphone was there, but not to be had: %s", error)
            return False

    def _go_on(self, tap: Tap) -> bool:
        same = tap.rate == self.rate
        self._resampler = None if same else ResampleStream(tap.rate, self.rate, 1, "int16", "HQ")
        tap.open(self._hear)
        with self._changing:
            stopped = self._stopping.is_set()
            if not stopped:
                self._tap, self.device = tap, tap.device.name
        if stopped:
            tap.close()
        else:
            self._inlet.tell(Returned(tap.device.name))
        return not stopped

    def _tell_of_losses(self) -> None:
        """Tell of sound that was lost on this machine, at once and then seldom."""
        now, lost = time.monotonic(), (self.overruns, self._inlet.lost)
        if lost == self._told or (self._told_at and now - self._told_at < SELDOM):
            return
        blocks, samples = lost[0] - self._told[0], lost[1] - self._told[1]
        self._told, self._told_at = lost, now
        self._inlet.tell(Overran(blocks, samples / self.rate))
