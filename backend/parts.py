"""What the server is made of, for the routes to use."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import IO

from quart import current_app

from backend.bus import Bus
from backend.cluster import Cluster
from backend.cluster.bus import SharedBus
from backend.defaults import Defaults
from backend.desks import Desks
from backend.doctor import Doctor
from backend.hearing.ears import Ears
from backend.history import History
from backend.meters import Meters
from backend.pulls import Pulls
from backend.reading import wishes
from backend.recordings import Job, Recording, transcribe
from backend.sessions import Sessions
from backend.settings import Settings
from backend.sinks import Sinks
from common.api import DoctorReport, Transcript


def _set() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass
class Parts:
    """Everything that is alive while the server serves."""

    settings: Settings
    defaults: Defaults
    bus: Bus
    history: History
    ears: Ears
    pulls: Pulls
    desks: Desks
    sessions: Sessions
    meters: Meters
    sinks: Sinks
    recordings: ThreadPoolExecutor
    """Where whole recordings are cut up: they may not take the event loop's own threads."""
    cluster: Cluster | None = None
    """None for a server on its own."""
    uploads: int = 0
    """Recordings that are being transcribed."""
    _all_read: asyncio.Event = field(default_factory=_set)
    _examining: asyncio.Future[DoctorReport] | None = None
    began: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, settings: Settings) -> "Parts":
        """Make them, on the event loop they shall live on."""
        history = History(settings)
        first = history.open()
        bus = SharedBus(first, history) if settings.cluster else Bus(first, history)
        history.tell, history.forgotten = bus.publish, bus.forget
        ears, meters = Ears(), Meters()
        pulls = Pulls(bus)
        desks = Desks(bus, pulls, settings.model_idle_seconds)
        defaults = Defaults(settings)
        sessions = Sessions(settings, defaults, bus, ears, desks, meters)
        recordings = ThreadPoolExecutor(settings.max_uploads, "recording")
        sinks = Sinks(settings, history, bus)
        made = cls(
            settings,
            defaults,
            bus,
            history,
            ears,
            pulls,
            desks,
            sessions,
            meters,
            sinks,
            recordings,
        )
        if isinstance(bus, SharedBus):
            made.cluster = Cluster(settings, bus, history, made.read)
        return made

    async def read(self, job: Job, file: IO[bytes]) -> Transcript:
        """Read a recording with this server's engines. Raises `Problem`."""
        recording = Recording(file, job.format, job.longest)
        taken = await self.desks.take(job.transcription)
        try:
            wish = wishes(job.transcription)
            return await transcribe(recording, job.vad, wish, taken.desk, self.recordings)
        finally:
            self.desks.give_back(taken)

    async def close(self) -> None:
        """End every thread."""
        self.recordings.shutdown(wait=False, cancel_futures=True)
        await self.pulls.close()
        await self.desks.close()
        await asyncio.to_thread(self.ears.close)
        await self.sinks.close()
        if self.cluster:
            await self.cluster.close()
        await asyncio.to_thread(self.history.close)

    async def examine(self) -> DoctorReport:
        """Look at what the server needs of this machine. Who asks meanwhile gets the same."""
        if self._examining is None or self._examining.done():
            main = self.sessions.main
            live = main is not None and main.source.live
            doctor = Doctor(
                self.settings,
                listening=main.audio_status() if main and live else None,
                serving=True,
                history=self.history.status(),
                sinks=self.sinks.status(),
                cluster=self.cluster.status() if self.cluster else None,
            )
            self._examining = asyncio.ensure_future(asyncio.to_thread(doctor.examine))
        return await asyncio.shield(self._examining)

    @contextmanager
    def uploading(self) -> Iterator[None]:
        """Count a recording for the length of a ``with`` block."""
        self.uploads += 1
        self._all_read.clear()
        try:
            yield
        finally:
            self.uploads -= 1
            if not self.uploads:
                self._all_read.set()

    async def wait_for_uploads(self, seconds: float) -> None:
        """Wait, for so long at most, until no recording is being transcribed."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._all_read.wait(), seconds)

    async def stop_helping(self, seconds: float) -> None:
        """Take no more of the cluster's recordings; wait so long for those in hand."""
        if self.cluster:
            await self.cluster.leave(seconds)

    @property
    def uptime(self) -> float:
        """Seconds since the start."""
        return round(time.monotonic() - self.began, 3)


def parts() -> Parts:
    """Return the parts of the app that serves the current request."""
    found: Parts = current_app.extensions["stt"]
    return found
