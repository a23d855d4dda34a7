"""What an utterance says: partials and finals of one session, in the order they were spoken.

Lives on the event loop. A final is begun in the first pause of an utterance, before it is sure
to be its last: if silence holds it is told at once, and if speech goes on it is dropped.
"""

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace

from backend.clock import Clock
from backend.desks import Taken
from backend.engines import Cancelled, Crashed, EngineError, Reading, Wishes
from backend.engines.agreement import Agreement
from backend.engines.desk import Desk
from backend.hearing import RATE, Samples
from backend.hearing.heard import Growing, Utterance
from backend.logs import of_session
from backend.meters import Meters
from backend.spare import Spare
from backend.waking import Waking
from common.events import Error, Event, Transcription, Word
from common.profile import TranscriptionPart

log = logging.getLogger(__name__)

CONTEXT = 200
"""Characters of an utterance's text that the one after it is given as its prompt."""
SURE = 0.5
"""Confidence under which an utterance is no context: its mistakes would be passed on."""


def wishes(part: TranscriptionPart) -> Wishes:
    """Return what a profile asks of the engine."""
    return Wishes(
        language=part.language,
        task=part.task,
        prompt=" ".join(filter(None, [part.prompt, ", ".join(part.vocabulary)])) or None,
        words=part.words,
        options=dict(part.options),
    )


def percentile(ordered: list[float], share: float) -> float | None:
    """Return the nearest-rank percentile of sorted values; None of none."""
    if not ordered:
        return None
    return round(ordered[max(0, math.ceil(share * len(ordered)) - 1)], 3)


@dataclass(frozen=True, slots=True)
class _Final:
    """A final that is being read, or was."""

    utterance: Utterance
    task: asyncio.Task[str]
    """Ends with what is context for the next: its text, if that was sure enough."""


@dataclass(frozen=True, slots=True)
class _Early:
    """What was read in an utterance's last pause."""

    desk: Desk
    utterance: int
    samples: int
    wishes: Wishes
    reading: Reading

    def answers(self, desk: Desk, utterance: int, samples: int, wishes: Wishes) -> bool:
        """Whether it is the final that is wanted: of the same sound, read in the same way."""
        wanted = (desk, utterance, samples, wishes)
        return wanted == (self.desk, self.utterance, self.samples, self.wishes)


class Reader:
    """One session's way from sound to text."""

    def __init__(
        self,
        session_id: str,
        part: TranscriptionPart,
        taken: Taken,
        clock: Clock,
        meters: Meters,
        *,
        tell: Callable[[Event], None],
        backlog: Callable[[float], None],
        keep: Callable[[Event, Samples], None] | None = None,
        spare: Spare | None = None,
    ) -> None:
        """Begin with nothing to read.

        Args:
            session_id: the beginning of every utterance's id.
            part: how to read.
            taken: the engine's desk.
            clock: when the sound was heard.
            meters: where latencies are counted.
            tell: publishes an event.
            backlog: told the seconds of speech that wait for their final, when they change.
            keep: publishes a final and has its sound kept; None keeps none.
            spare: the way to the engine that reads what the desk's fails on.

        """
        self.taken = taken
        self.texts: deque[str] = deque(maxlen=10_000)
        """Its finals, oldest first."""
        self.waking: Waking | None = None
        """Which speech is for us; None for all of it."""
        self.waiting = 0.0
        """Seconds of speech whose finals are being read or wait for it."""
        self._session_id = session_id
        self._spare = spare
        self._set(part)
        self._clock = clock
        self._meters = meters
        self._tell = tell
        self._backlog = backlog
        self._keep = keep
        self._latencies: deque[float] = deque(maxlen=256)
        self._worked = 0.0
        self._worked_on = 0.0
        self._tasks: set[asyncio.Task[str]] = set()
        self._last: _Final | None = None
        self._agreements: dict[int, Agreement] = {}
        self._early: _Early | None = None

    @property
    def busy(self) -> bool:
        """Whether anything is being read or waits for it."""
        return bool(self._tasks)

    @property
    def real_time_factor(self) -> float | None:
        """Seconds of the engine for a second of speech, over all finals."""
        return round(self._worked / self._worked_on, 4) if self._worked_on else None

    def latency(self, share: float) -> float | None:
        """Return a percentile of the last finals' latencies, in seconds."""
        return percentile(sorted(self._latencies), share)

    def take(self, heard: Growing | Utterance) -> None:
        """Have it read, if it is for us."""
        if self.waking and not self.waking.reads(heard):
            return
        if isinstance(heard, Utterance):
            before = self._last
            self._last = _Final(heard, self._spawn(self._read_final(heard, before)))
        else:
            self._spawn(self._read_growing(heard))

    def switch(self, part: TranscriptionPart, taken: Taken) -> Taken:
        """Have what is said from now on read otherwise; return what read it before."""
        before, self.taken = self.taken, taken
        self._set(part)
        return before

    async def wait(self) -> None:
        """Return after all that waits for the engine now has been read."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def abandon(self) -> None:
        """Drop what is still waiting for the engine."""
        for task in self._tasks:
            task.cancel()

    def _set(self, part: TranscriptionPart) -> None:
        spare = self._spare is not None and part.fallback is not None
        self._part, self._wishes = part, replace(wishes(part), spare=spare)

    def _spawn(self, reading: Coroutine[None, None, str]) -> asyncio.Task[str]:
        task = asyncio.create_task(reading)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _read_growing(self, growing: Growing) -> str:
        taken, asked = self.taken, self._wishes_after(self._last, growing.start)
        eager = growing.paused and taken.desk.engine.eager
        if not (eager or self._part.partials):
            return ""
        try:
            number = self._utterance_id(growing.utterance)
            draft = taken.desk.partial(number, growing.audio, asked, whole=eager)
            reading = await asyncio.wrap_future(draft)
        except Crashed as fault:
            self._tell_crash(str(fault), "it is started anew")
            return ""
        except (asyncio.CancelledError, Cancelled, EngineError):
            return ""  # The final, or the next partial, says it all.
        if self._last and self._last.utterance.utterance >= growing.utterance:
            return ""  # Its final has come meanwhile.
        if eager:
            samples = len(growing.audio)
            self._early = _Early(taken.desk, growing.utterance, samples, asked, reading)
        if self._part.partials:
            self._tell_partial(growing, reading)
        return reading.text

    def _tell_partial(self, growing: Growing, reading: Reading) -> None:
        rest = self.waking.rest(growing, reading.text) if self.waking else reading.text
        if rest is None:
            return
        agreement = self._agreements.setdefault(growing.utterance, Agreement())
        text, stable = agreement.update(rest)
        if text:
            self._tell_words(growing, reading, text, stable, is_final=False)

    async def _read_final(self, utterance: Utterance, before: _Final | None) -> str:
        seconds = len(utterance.audio) / RATE
        self._wait_more(seconds)
        text = ""
        try:
            if before and before.utterance.cut:
                await asyncio.wait([before.task])  # Its text is the context of this one.
            asked = self._wishes_after(before, utterance.start)
            reading = await self._ask(utterance, utterance.audio, asked)
            if before:
                await asyncio.wait([before.task])
            if self.waking:
                # Only now is it known whether the one before was an answer.
                reading = await self._without_the_word(self.waking, utterance, reading)
            if reading.confidence is None or reading.confidence >= SURE:
                text = reading.text
            self._tell_final(utterance, reading)
        except (EngineError, Cancelled) as error:
            self._tell(Error(error="Not transcribed", details=str(error)))
        except Exception:
            of_session(log, self._session_id).exception("an utterance was lost")
            self._tell(Error(error="Not transcribed", details="a fault of ours: see the log"))
        finally:
            self._agreements.pop(utterance.utterance, None)
            if self.waking:
                self.waking.forget(utterance)
            self._wait_more(-seconds)
        return text

    def _tell_final(self, utterance: Utterance, reading: Reading) -> None:
        agreement = self._agreements.get(utterance.utterance)
        if reading.text:
            self.texts.append(reading.text)
            self._tell_words(
                utterance,
                reading,
                reading.text,
                len(reading.text),
                is_final=True,
                agreement=agreement,
            )
        elif agreement:
            # Nothing was said after all: an empty partial takes back the ones before.
            self._tell_words(utterance, reading, "", 0, is_final=False)

    def _wait_more(self, seconds: float) -> None:
        self.waiting += seconds
        self._backlog(self.waiting)

    def _wishes_after(self, before: _Final | None, start: float) -> Wishes:
        """Return the wishes for what begins then: what follows is read with what went before."""
        said = self._said(before, start)
        if not said:
            return self._wishes
        prompt = f"{self._wishes.prompt or ''} {said[-CONTEXT:]}".strip()
        return replace(self._wishes, prompt=prompt)

    def _said(self, before: _Final | None, start: float) -> str:
        if before is None or not before.task.done() or before.task.cancelled():
            return ""
        follows = before.utterance.cut or start - before.utterance.end <= self._part.carry_over
        return before.task.result() if follows else ""

    async def _ask(self, utterance: Utterance, audio: Samples, asked: Wishes) -> Reading:
        desk, early = self.taken.desk, self._early
        if early and early.answers(desk, utterance.utterance, len(audio), asked):
            reading = early.reading
        else:
            reading = await self._final(utterance, audio, asked)
            if not reading.text and asked != self._wishes and desk.engine.eager:
                # Whisper may fall silent over a prompt: a context must not cost words.
                reading = await self._final(utterance, audio, self._wishes)
        self._count(reading, len(audio) / RATE)
        return reading

    async def _final(self, utterance: Utterance, audio: Samples, asked: Wishes) -> Reading:
        """Have it read, by the fallback engine if need be. Raises `EngineError`."""
        taken, part, number = self.taken, self._part, self._utterance_id(utterance.utterance)
        loop = asyncio.get_running_loop()

        def crashed(fault: str) -> None:
            then = "what was said is read once more"
            loop.call_soon_threadsafe(self._tell_crash, fault, then)

        try:
            reading = await asyncio.wrap_future(taken.desk.final(number, audio, asked, crashed))
        except EngineError as fault:
            if self._spare is None:
                raise
            return await self._spare.read(part, taken, fault, number, audio, asked)
        if self._spare:
            self._spare.rest()
        return replace(reading, engine=taken.desk.engine.name)

    def _tell_crash(self, fault: str, then: str) -> None:
        self._tell(Error(error="Engine failed", details=f"{fault}; {then}"))

    async def _without_the_word(
        self, waking: Waking, utterance: Utterance, reading: Reading
    ) -> Reading:
        """Return what follows the wake word; no text of what isn't for us."""
        rest = waking.rest(utterance, reading.text)
        if rest is None:
            # The engine read something else for the word: what follows is read alone.
            after = waking.sound_after(utterance)
            reading = (
                Reading("") if after is None else await self._ask(utterance, after, self._wishes)
            )
            rest = reading.text
        waking.answered(utterance, rest)
        count = len(rest.split())
        return replace(reading, text=rest, words=reading.words[-count:] if count else ())

    def _count(self, reading: Reading, seconds: float) -> None:
        if reading.refused:
            self._meters.refused(reading.refused)
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
        agreement: Agreement | None = None,
    ) -> None:
        since = self._clock.since(heard.end)
        self._meters.transcribed(since, is_final=is_final)
        if is_final and since is not None:
            self._latencies.append(since)
        words = [
            Word(
                text=word.text,
                start=round(max(heard.start, heard.audio_start + word.start), 3),
                end=round(max(heard.start, heard.audio_start + word.end), 3),
                confidence=word.confidence,
            )
            for word in reading.words
        ]
        self._publish(
            heard.audio,
            Transcription(
                text=text,
                is_final=is_final,
                confidence=reading.confidence,
                utterance_id=self._utterance_id(heard.utterance),
                start=round(heard.start, 3),
                end=round(heard.end, 3),
                language=reading.language,
                language_probability=reading.language_probability,
                revised=agreement is not None and not agreement.holds(text),
                stable=stable,
                words=words if is_final and self._part.words else None,
                latency=None if since is None else round(since, 3),
                engine=reading.engine or self.taken.desk.engine.name,
            ),
        )

    def _publish(self, sound: Samples, event: Transcription) -> None:
        if event.is_final and self._keep:
            self._keep(event, sound)
        else:
            self._tell(event)

    def _utterance_id(self, number: int) -> str:
        return f"{self._session_id}-{number}"
