"""One listening: source → segmenter → engine → bus, started and stopped.

Sound is cut up on the hearing thread (`hear`); what was heard goes to the event loop as values,
and everything else happens there, in the order in which it was heard.
"""

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Literal

from backend.bus import Bus
from backend.clock import Clock
from backend.desks import Taken
from backend.engines import Cancelled, EngineError, Reading, Wishes
from backend.engines.agreement import Agreement
from backend.hearing import RATE, Block, Samples
from backend.hearing.ears import Ears, Inlet
from backend.hearing.framer import Framer
from backend.hearing.news import Lost, News, Overran
from backend.hearing.segmenter import (
    Growing,
    Heard,
    Loudness,
    Segmenter,
    SpeechBegan,
    SpeechFinished,
    Utterance,
)
from backend.hearing.silence import Silence
from backend.hearing.vad import make
from backend.hearing.wake import Spotted, Spotter, choose
from backend.hearing.wake import make as make_spotter
from backend.meters import Meters
from backend.sound import Sound
from backend.sources import Source
from backend.sources.stream import StreamSource
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
    Transcription,
    Word,
)
from common.profile import Profile, TranscriptionPart

log = logging.getLogger(__name__)

BOUND = 10
"""Seconds of sound that may wait to be heard."""
AHEAD = 30.0
"""Seconds of speech that may wait for the engine before patient sources are held back."""

Reason = Literal["stopped", "ended", "disconnected", "failed", "idle"]


def wishes(part: TranscriptionPart) -> Wishes:
    """Return what a profile asks of the engine."""
    return Wishes(
        language=part.language,
        task=part.task,
        prompt=part.prompt,
        words=part.words,
        options=dict(part.options),
    )


def _percentile(ordered: list[float], share: float) -> float | None:
    """Return the nearest-rank percentile of sorted values; None of none."""
    if not ordered:
        return None
    return round(ordered[max(0, math.ceil(share * len(ordered)) - 1)], 3)


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
    ) -> None:
        self.session_id = session_id
        self.name = name
        self.profile = profile
        self.source = source
        self.taken = taken
        self.started = time.time()
        self.texts: deque[str] = deque(maxlen=10_000)
        """Its finals, oldest first."""
        self.done = asyncio.Event()
        """Set after ``session_stopped`` was told."""
        self.sound_changed: Callable[[], None] = lambda: None
        """Called when its microphone has disappeared, fallen silent or recovered."""
        self._bus = bus
        self._meters = meters
        self._latencies: deque[float] = deque(maxlen=256)
        self._worked = 0.0
        self._worked_on = 0.0
        self._wishes = wishes(profile.transcription)
        self._reason: Reason = "ended"
        self._loop = asyncio.get_running_loop()
        self._reading: set[asyncio.Task[None]] = set()
        self._waiting = 0.0
        self._agreements: dict[int, Agreement] = {}
        self._clock = Clock()
        self._sound = Sound(None, None)
        self._silence: Silence
        self.waking: Waking | None = None
        """Which speech is for us; None for all of it."""
        self._spotter: Spotter | None = None
        self._framer: Framer
        self._segmenter: Segmenter
        self._inlet: Inlet

    async def start(self, ears: Ears) -> None:
        """Open the source and listen. Raises `SourceError` or `DetectorError`."""
        part = self.profile.transcription
        await asyncio.to_thread(self.source.open)
        detector = await asyncio.to_thread(make, self.profile.vad)
        await self._listen_for_words()
        interval = part.partial_interval if part.partials else None
        self._segmenter = Segmenter(detector, self.profile.vad, interval)
        self._sound = Sound(self.source.device, self.profile.audio.channel)
        self._silence = Silence(self.source.rate)
        self._framer = Framer(self.source.rate, self.source.channels, self.profile.audio.gain)
        self._inlet = ears.open(self, BOUND * self.source.rate)
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
        choice = await asyncio.to_thread(choose, part, self.taken.desk.engine.name)
        self._spotter = await asyncio.to_thread(make_spotter, part, choice)
        always = self.profile.transcription.auto_start
        self.waking = Waking(part, choice, always=always, tell=self._tell)
        log.info("session %s: wake word by %s (%s)", self.session_id, choice.name, choice.reason)

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
        for task in self._reading:
            task.cancel()

    def switch(self, profile: Profile, taken: Taken) -> Taken:
        """Have what is said from now on read otherwise; return what read it before."""
        before, self.taken = self.taken, taken
        self.profile, self._wishes = profile, wishes(profile.transcription)
        return before

    async def wait_until_read(self) -> None:
        """Return after all that waits for the engine now has been read."""
        await asyncio.gather(*self._reading, return_exceptions=True)

    @property
    def lost_seconds(self) -> float:
        """Sound dropped because it came faster than it could be taken in."""
        return round(self._inlet.lost / self.source.rate, 3)

    def figures(self) -> SessionFigures:
        latencies = sorted(self._latencies)
        return SessionFigures(
            session_id=self.session_id,
            source=self.source.name,
            profile=self.name,
            audio_seconds=round(self._segmenter.seconds, 3),
            finals=len(self.texts),
            waiting_seconds=round(self._waiting, 3),
            lost_seconds=self.lost_seconds,
            overruns=self.source.overruns,
            real_time_factor=round(self._worked / self._worked_on, 4) if self._worked_on else None,
            latency_p50=_percentile(latencies, 0.5),
            latency_p95=_percentile(latencies, 0.95),
        )

    def info(self) -> SessionInfo:
        return SessionInfo(
            session_id=self.session_id,
            source=self.source.name,
            profile=self.name,
            started=self.started,
            audio_seconds=round(self._segmenter.seconds, 3),
            finals=len(self.texts),
            lost_seconds=self.lost_seconds,
        )

    def audio_status(self) -> AudioStatus:
        return self._sound.status()

    # On the hearing thread.

    def hear(self, block: Block) -> None:
        """Cut a block of sound up. Called on the hearing thread."""
        if news := self._silence.hear(block):
            self._loop.call_soon_threadsafe(self._take_news, news)
        for frame in self._framer.frames(block):
            self._pass_on(self._hear_frame(frame))
        self._clock.tick(self._segmenter.seconds)

    def flush(self) -> None:
        """End the utterance in progress. Called on the hearing thread."""
        self._pass_on(list(self._segmenter.flush()))

    def finish(self, fault: Exception | None) -> None:
        """Hear what is left. Called on the hearing thread."""
        self._run_out()
        self._loop.call_soon_threadsafe(self._wind_up, fault)

    def note(self, news: News) -> None:
        """Tell what happened to the source, after the words before it. On the hearing thread."""
        if isinstance(news, Lost):
            self._run_out()
            self._silence.forget()
        self._loop.call_soon_threadsafe(self._take_news, news)

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
            self._loop.call_soon_threadsafe(self._take_in, things)

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
                    if self.waking:
                        self.waking.spot(thing)
                case Growing() | Utterance():
                    if self.waking is None or self.waking.reads(thing):
                        self._read_soon(self._read(thing))

    def _take_news(self, news: News) -> None:
        fault = self._sound.take(news)
        if not self.source.live:
            return  # A file or a client may be silent.
        if fault:
            log.warning("session %s: %s: %s", self.session_id, fault.error, fault.details)
            self._tell(fault)
        else:
            log.info("session %s: the microphone is heard again", self.session_id)
        if not isinstance(news, Overran):
            self.sound_changed()

    def _take_level(self, level: Loudness) -> None:
        self._sound.measure(level.rms_dbfs)
        if self.waking and not level.speaking and not self._reading:
            self.waking.look_at_the_time(self._segmenter.seconds)
        self._tell(
            Level(
                rms_dbfs=round(level.rms_dbfs, 1),
                peak_dbfs=round(level.peak_dbfs, 1),
                speech=round(level.scores.speech, 3),
                webrtc=level.scores.webrtc,
                silero=None if level.scores.silero is None else round(level.scores.silero, 3),
                speaking=level.speaking,
            )
        )

    def _read_soon(self, reading: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(reading)
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)

    def _read(self, heard: Growing | Utterance) -> Coroutine[None, None, None]:
        return (
            self._read_final(heard) if isinstance(heard, Utterance) else self._read_partial(heard)
        )

    async def _read_partial(self, growing: Growing) -> None:
        try:
            reading = await asyncio.wrap_future(
                self.taken.desk.partial(
                    self._utterance_id(growing.utterance), growing.audio, self._wishes
                )
            )
        except (asyncio.CancelledError, Cancelled, EngineError):
            return  # The final, or the next partial, says it all.
        rest = self.waking.rest(growing, reading.text) if self.waking else reading.text
        if rest is None:
            return
        agreement = self._agreements.setdefault(growing.utterance, Agreement())
        text, stable = agreement.update(rest)
        if text:
            self._tell_words(growing, reading, text, stable, is_final=False)

    async def _read_final(self, utterance: Utterance) -> None:
        seconds = len(utterance.audio) / RATE
        self._waiting += seconds
        self._inlet.hold(self._waiting > AHEAD)
        try:
            reading = await self._ask(utterance, utterance.audio)
            if self.waking:
                reading = await self._without_the_word(self.waking, utterance, reading)
            if reading.text:
                self.texts.append(reading.text)
                self._tell_words(utterance, reading, reading.text, len(reading.text), is_final=True)
            elif utterance.utterance in self._agreements:
                # Nothing was said after all: an empty partial takes back the ones before.
                self._tell_words(utterance, reading, "", 0, is_final=False)
        except (EngineError, Cancelled) as error:
            self._tell(Error(error="Not transcribed", details=str(error)))
        finally:
            self._agreements.pop(utterance.utterance, None)
            self._waiting -= seconds
            self._inlet.hold(self._waiting > AHEAD)

    async def _ask(self, utterance: Utterance, audio: Samples) -> Reading:
        desk, number = self.taken.desk, self._utterance_id(utterance.utterance)
        reading = await asyncio.wrap_future(desk.final(number, audio, self._wishes))
        self._count(reading, len(audio) / RATE)
        return reading

    async def _without_the_word(
        self, waking: Waking, utterance: Utterance, reading: Reading
    ) -> Reading:
        """Return what follows the wake word; no text of what isn't for us."""
        rest = waking.rest(utterance, reading.text)
        if rest is None:
            # The engine read something else for the word: what follows is read alone.
            after = waking.sound_after(utterance)
            reading = Reading("") if after is None else await self._ask(utterance, after)
            rest = reading.text
        waking.answered(utterance, rest)
        count = len(rest.split())
        return replace(reading, text=rest, words=reading.words[-count:] if count else ())

    def _count(self, reading: Reading, seconds: float) -> None:
        if reading.seconds is not None and seconds:
            self._worked += reading.seconds
            self._worked_on += seconds
            self._meters.worked(reading.seconds / seconds)

    def _tell_words(
        self,
        heard: Growing | Utterance,
        reading: Reading,
        text: str,
        stable: int,
        *,
        is_final: bool,
    ) -> None:
        since = self._clock.since(heard.end)
        self._meters.transcribed(since, is_final=is_final)
        if is_final and since is not None:
            self._latencies.append(since)
        words = [
            Word(
                text=word.text,
                start=round(heard.audio_start + word.start, 3),
                end=round(heard.audio_start + word.end, 3),
                confidence=word.confidence,
            )
            for word in reading.words
        ]
        self._tell(
            Transcription(
                text=text,
                is_final=is_final,
                confidence=reading.confidence,
                utterance_id=self._utterance_id(heard.utterance),
                start=round(heard.start, 3),
                end=round(heard.end, 3),
                language=reading.language,
                stable=stable,
                words=words if is_final and self._wishes.words else None,
                latency=None if since is None else round(since, 3),
                engine=self.taken.desk.engine.name,
            )
        )

    def _wind_up(self, fault: Exception | None) -> None:
        if fault:
            self._reason = "failed"
            log.warning("session %s: %s", self.session_id, fault)
            self._tell(Error(error="Source failed", details=str(fault), recoverable=False))
        reading = list(self._reading)
        self._read_soon(self._end(reading))

    async def _end(self, reading: list[asyncio.Task[None]]) -> None:
        await asyncio.gather(*reading, return_exceptions=True)
        self._tell(SessionStopped(reason=self._reason))
        self.done.set()

    def _utterance_id(self, number: int) -> str:
        return f"{self.session_id}-{number}"

    def _tell(self, event: Event) -> None:
        self._bus.publish(event.model_copy(update={"session_id": self.session_id}))
