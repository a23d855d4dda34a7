"""One listening: source → segmenter → engine → bus, started and stopped.

Sound is cut up on the hearing thread (`hear`); what was heard goes to the event loop as values,
and everything else happens there, in the order in which it was heard.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Literal

from backend.bus import Bus
from backend.clock import Clock
from backend.desks import Desks, Taken
from backend.hearing import Block, Samples
from backend.hearing.ears import Ears, Inlet
from backend.hearing.framer import Framer
from backend.hearing.heard import Growing, Heard, Loudness, SpeechBegan, SpeechFinished, Utterance
from backend.hearing.news import Lost, News, Overran, Tuned
from backend.hearing.outbox import Outbox
from backend.hearing.segmenter import Segmenter
from backend.hearing.silence import Silence
from backend.hearing.spotters import Spotter
from backend.hearing.vad import make, tuned
from backend.hearing.wake import Spotted, choose
from backend.hearing.wake import make as make_spotter
from backend.logs import of_session
from backend.meters import Meters
from backend.reading import Reader
from backend.sound import Sound
from backend.sources import Source
from backend.sources.stream import StreamSource
from backend.spare import Spare
from backend.waking import Waking
from common.api import SessionFigures, SessionInfo
from common.events import (
    AudioStatus,
    Error,
    Event,
    Level,
    SessionStarted,
    SessionStopped,
    SpeechDetected,
    SpeechEnded,
)
from common.profile import Profile, VadPart

log = logging.getLogger(__name__)

BOUND = 10
"""Seconds of sound that may wait to be heard."""
AHEAD = 30.0
"""Seconds of speech that may wait for the engine before patient sources are held back."""

Reason = Literal["stopped", "ended", "disconnected", "failed", "idle"]


class Session:
    """One listening, from one source. Made and driven on the event loop."""

    def __init__(
        self,
        session_id: str,
        name: str | None,
        profile: Profile,
        source: Source,
        taken: Taken,
        bus: Bus,
        meters: Meters,
        desks: Desks,
    ) -> None:
        self.session_id = session_id
        self._log = of_session(log, session_id)
        self.name = name
        self.profile = profile
        self.source = source
        self.started = time.time()
        self.done = asyncio.Event()
        """Set after ``session_stopped`` was told."""
        self.sound_changed: Callable[[], None] = lambda: None
        """Called when its microphone has disappeared, fallen silent or recovered."""
        self._bus = bus
        self._reason: Reason = "ended"
        self._loop = asyncio.get_running_loop()
        self._clock = Clock()
        self.reader = Reader(
            session_id,
            profile.transcription,
            taken,
            self._clock,
            meters,
            tell=self._tell,
            backlog=self._hold_back,
            keep=self._tell_and_keep if profile.audio.keep else None,
            spare=Spare(desks, self._tell),
        )
        """What reads it."""
        self._sound = Sound(None, None)
        self._silence: Silence
        self._spotter: Spotter | None = None
        self._framer: Framer
        self._segmenter: Segmenter
        self._inlet: Inlet
        self._outbox: Outbox

    async def prepare(self) -> None:
        """Get ready all that may be missing. Raises `SourceError` or `DetectorError`."""
        await asyncio.to_thread(self.source.open)
        vad = _vad(self.profile)
        detector = await asyncio.to_thread(make, vad)
        await self._listen_for_words()
        self._segmenter = Segmenter(detector, vad, _interval(self.profile))
        self._sound = Sound(self.source.device, self.profile.audio.channel)
        self._silence = Silence(self.source.rate)
        self._framer = Framer(self.source.rate, self.source.channels, self.profile.audio.gain)

    async def start(self, ears: Ears) -> None:
        """Listen, once prepared. Raises `SourceError`."""
        self._outbox = ears.outbox(self._loop)
        self._inlet = ears.open(self, BOUND * self.source.rate)
        self._log.info("began: %s, profile %s", self.source.name, self.name)
        self._tell(SessionStarted(source=self.source.name, profile=self.name))
        starting = asyncio.ensure_future(asyncio.to_thread(self.source.start, self._inlet))
        try:
            await asyncio.shield(starting)
        except BaseException:
            # A source half started is let start first: then it can be stopped.
            await asyncio.gather(starting, return_exceptions=True)
            await self.stop("failed")
            raise

    async def _listen_for_words(self) -> None:
        part = self.profile.wake_word
        if not part.enabled:
            return
        choice = await asyncio.to_thread(choose, part, self.reader.taken.desk.engine.name)
        self._spotter = await asyncio.to_thread(make_spotter, part, choice)
        always = self.profile.transcription.auto_start
        self.reader.waking = Waking(part, choice, always=always, tell=self._tell)
        self._log.info("wake word by %s (%s)", choice.name, choice.reason)

    async def stop(self, reason: Reason = "stopped") -> None:
        """Hear no more; finish and deliver what was heard, then return."""
        if not self.done.is_set():
            self._reason = reason
            if isinstance(self.source, StreamSource) and (warning := self.source.end()):
                self._tell(Error(error="Sound cut off", details=warning))
            await asyncio.to_thread(self.source.stop)
            self._inlet.end()
            await self.done.wait()

    def flush_soon(self) -> None:
        """End the utterance in progress, after the sound that was sent before."""
        self._inlet.flush()

    def abandon(self) -> None:
        """Drop what is still waiting for the engine."""
        self.reader.abandon()

    def switch(self, profile: Profile, taken: Taken) -> Taken:
        """Have what is said from now on read otherwise; return what read it before."""
        self.profile = profile
        self._segmenter.pace(_interval(profile))
        return self.reader.switch(profile.transcription, taken)

    async def tune(self, profile: Profile) -> None:
        """Hear by other settings from the next frame on. Raises `DetectorError`."""
        detector = await asyncio.to_thread(make, _vad(profile))
        self.profile = profile
        self._inlet.tell(Tuned(profile, detector))

    def _hold_back(self, waiting: float) -> None:
        self._inlet.hold(waiting > AHEAD)

    @property
    def lost_seconds(self) -> float:
        """Sound dropped because it came faster than it could be taken in."""
        return round(self._inlet.lost / self.source.rate, 3)

    def figures(self) -> SessionFigures:
        reader = self.reader
        return SessionFigures(
            session_id=self.session_id,
            source=self.source.name,
            profile=self.name,
            audio_seconds=round(self._segmenter.seconds, 3),
            finals=len(reader.texts),
            waiting_seconds=round(reader.waiting, 3),
            lost_seconds=self.lost_seconds,
            overruns=self.source.overruns,
            real_time_factor=reader.real_time_factor,
            latency_p50=reader.latency(0.5),
            latency_p95=reader.latency(0.95),
        )

    def info(self) -> SessionInfo:
        return SessionInfo(
            session_id=self.session_id,
            source=self.source.name,
            profile=self.name,
            started=self.started,
            audio_seconds=round(self._segmenter.seconds, 3),
            finals=len(self.reader.texts),
            lost_seconds=self.lost_seconds,
        )

    def audio_status(self) -> AudioStatus:
        return self._sound.status()

    # On the hearing thread.

    def hear(self, block: Block) -> None:
        """Cut a block of sound up. Called on the hearing thread."""
        # A file or a client may be silent.
        if self.source.live and (news := self._silence.hear(block)):
            self._outbox.post(self._take_news, news)
        for frame in self._framer.frames(block):
            if things := self._hear_frame(frame):
                self._outbox.post(self._take_in, things)
        self._clock.tick(self._segmenter.seconds)

    def flush(self) -> None:
        """End the utterance in progress. Called on the hearing thread."""
        self._pass_on(list(self._segmenter.flush()))

    def finish(self, fault: Exception | None) -> None:
        """Hear what is left. Called on the hearing thread."""
        try:
            self._run_out()
        except Exception as error:
            # What broke the hearing breaks it again, and still the session has to end.
            self._log.exception("what was left can't be heard")
            fault = fault or error
            self.flush()
        self._outbox.post(self._wind_up, fault)

    def note(self, news: News) -> None:
        """Tell what happened to the source, after the words before it. On the hearing thread."""
        if isinstance(news, Tuned):
            self._tune(news)
            return
        if isinstance(news, Lost):
            self._run_out()
            self._silence.forget()
        self._outbox.post(self._take_news, news)

    def _tune(self, tuning: Tuned) -> None:
        profile, vad = tuning.profile, _vad(tuning.profile)
        detector = tuned(self._segmenter.detector, tuning.detector, vad)
        self._framer.gain = profile.audio.gain
        self._pass_on(list(self._segmenter.tune(detector, vad, _interval(profile))))

    def _run_out(self) -> None:
        """Hear what is held back, and end the utterance in progress."""
        for frame in self._framer.drain():
            self._pass_on(self._hear_frame(frame))
        self._clock.tick(self._segmenter.seconds)
        self.flush()

    def _hear_frame(self, frame: Samples) -> list[Heard | Spotted]:
        things: list[Heard | Spotted] = list(self._segmenter.hear(frame))
        if self._spotter and (found := self._spotter(frame, self._segmenter.score)):
            end = self._segmenter.seconds - self._spotter.lag
            things.append(Spotted(*found, end, self._segmenter.speaking))
        return things

    def _pass_on(self, things: Sequence[Heard | Spotted]) -> None:
        if things:
            self._outbox.post(self._take_in, things)

    # On the event loop.

    def _take_in(self, things: Sequence[Heard | Spotted]) -> None:
        for thing in things:
            match thing:
                case Loudness():
                    self._take_level(thing)
                case SpeechBegan():
                    self._tell(SpeechDetected(confidence=thing.confidence, start=thing.start))
                case SpeechFinished():
                    self._tell(SpeechEnded(start=thing.start, end=thing.end))
                case Spotted():
                    if self.reader.waking:
                        self.reader.waking.spot(thing)
                case Growing() | Utterance():
                    self.reader.take(thing)

    def _take_news(self, news: News) -> None:
        if not self.source.live:
            return  # A file or a client may be silent.
        if fault := self._sound.take(news):
            self._log.warning("%s: %s", fault.error, fault.details)
            self._tell(fault)
        else:
            self._log.info("the microphone is heard again")
        if not isinstance(news, Overran):
            self.sound_changed()

    def _take_level(self, level: Loudness) -> None:
        self._sound.measure(level.rms_dbfs)
        waking = self.reader.waking
        if waking and not level.speaking and not self.reader.busy:
            # Not the segmenter's time: the hearing thread is ahead of what is taken in here.
            waking.look_at_the_time(level.at)
        self._bus.publish(
            Level(
                session_id=self.session_id,
                rms_dbfs=round(level.rms_dbfs, 1),
                peak_dbfs=round(level.peak_dbfs, 1),
                speech=round(level.scores.speech, 3),
                webrtc=level.scores.webrtc,
                silero=None if level.scores.silero is None else round(level.scores.silero, 3),
                speaking=level.speaking,
                threshold=None if level.threshold is None else round(level.threshold, 3),
                noise_floor_dbfs=round(level.floor_dbfs, 1),
            )
        )

    def _wind_up(self, fault: Exception | None) -> None:
        if fault:
            self._reason = "failed"
            self._log.warning("%s", fault)
            self._tell(Error(error="Source failed", details=str(fault), recoverable=False))
        self._ending = self._loop.create_task(self._end())

    async def _end(self) -> None:
        await self.reader.wait()
        if self._reason == "failed":
            # Where the hearing failed the source knows nothing of it: let go of the device.
            await asyncio.to_thread(self.source.stop)
        self._log.info("%s", self._reason)
        self._tell(SessionStopped(reason=self._reason))
        await self._bus.settle()
        self.done.set()

    def _tell(self, event: Event) -> None:
        self._bus.publish(event.model_copy(update={"session_id": self.session_id}))

    def _tell_and_keep(self, event: Event, sound: Samples) -> None:
        self._bus.publish(event.model_copy(update={"session_id": self.session_id}), sound)


def _vad(profile: Profile) -> VadPart:
    """Return how to hear: who waits for a word has to know where speech begins and ends."""
    if profile.transcription.auto_start:
        return profile.vad
    return profile.vad.model_copy(update={"enabled": True})


def _interval(profile: Profile) -> float | None:
    """Return the seconds of new sound between two partials; None where none are wanted."""
    part = profile.transcription
    return part.partial_interval if part.partials else None
