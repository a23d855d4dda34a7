"""Where speech begins and ends, and the sound of it: frames in, facts and utterances out.

Pure: no I/O and no clock. Time is counted in frames, so a recording heard as fast as it can
be read gives the same as one heard live.

Every sample is in at most one utterance. Speech that goes on past `max_utterance` is cut at
its quietest place and goes on as the next utterance, with its own number: one `SpeechBegan`,
then an `Utterance` a piece, then one `SpeechFinished` with the number of the last piece.
"""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from backend.hearing import FRAME, RATE, Detector, Samples, Scores
from backend.hearing.cutting import quietest
from backend.hearing.floor import NoiseFloor
from backend.hearing.heard import Growing, Heard, Loudness, SpeechBegan, SpeechFinished, Utterance
from common.profile import VadPart

CONFIRM_WITHIN = 3
"""Frames looked at to see speech begin."""
CONFIRM_BY = 2
"""How many of those must be speech."""
SURE_BY = 2
"""How many frames of an utterance the detector must be sure of, at least."""
SURE_SHARE = 0.2
"""How many of them, as a share of its frames; music that sings a little had 0.1, speech 0.38 and
more."""
SURE_WITHIN = 1.5
"""Seconds of an utterance that the share is counted of: one word amid noise is speech."""
TAIL = 0.16
"""Seconds kept after the last speech of an utterance: last consonants, a little room. After as
much silence the utterance is given as `Growing.paused`."""
TAIL_FRAMES = round(TAIL * RATE / FRAME)
LOUDNESS_EVERY = 2
"""Frames between two `Loudness`: 15.6 a second."""
FLOOR_DBFS = -100.0
"""What digital silence is told as."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """A frame that may yet be part of an utterance."""

    samples: Samples
    power: float
    """Mean square."""
    peak: float
    score: float
    voiced: bool


@dataclass(slots=True)
class _Speech:
    """Speech in progress. Places are counted in frames since the start of the sound."""

    began: int
    """First voiced frame, less the detector's lag."""
    last: int
    """Last voiced frame."""
    utterance: int
    """Number of the piece in progress."""
    first: int | None
    """First voiced frame of that piece, once there is one; of the first piece, `began`."""
    told: int
    """Frames heard when it was last given as `Growing`, or when it began."""
    told_last: int = -1
    """What `last` was then."""
    given: int = 0
    """Number of the last piece that was cut off and given."""
    proven: bool = False
    """It is speech by the settings of before: others can't undo it."""


class Segmenter:
    """One stream's segmenter. Not thread-safe; holds at most `max_utterance` of sound."""

    def __init__(
        self, detector: Detector | None, vad: VadPart, partial_interval: float | None
    ) -> None:
        """Set up for a stream.

        Args:
            detector: judges frames, with its state for this stream. None takes everything
                for an utterance, cut at `max_utterance`, and tells of no speech.
            vad: the durations.
            partial_interval: seconds of new sound between two `Growing`; None for none.

        """
        self._set(detector, vad, partial_interval)
        self._heard = 0
        self._kept: list[_Kept] = []
        self._recent: deque[bool] = deque(maxlen=CONFIRM_WITHIN)
        self._speech: _Speech | None = None
        self._numbers = 0
        self._loudest = (0.0, 0.0)
        self._floor = NoiseFloor()
        self.score = 0.0
        """The last frame's `Scores.speech`; 1 without a detector."""

    @property
    def seconds(self) -> float:
        """Seconds of sound heard so far."""
        return _seconds(self._heard)

    @property
    def speaking(self) -> int | None:
        """Number of the utterance in progress."""
        return self._speech.utterance if self._speech else None

    def hear(self, frame: Samples) -> Iterator[Heard]:
        """Take the next frame and give what is known after it.

        A generator: the frame is heard as its facts are read. The frame is kept, not copied.
        """
        scores = self.detector(frame) if self.detector else None
        kept = self._keep(frame, scores)
        if self._speech:
            yield from self._go_on(self._speech, kept)
        else:
            yield from self._wait(kept)
        yield from self._tell_loudness(kept, scores or Scores(0.0))

    def tune(
        self, detector: Detector | None, vad: VadPart, partial_interval: float | None
    ) -> Iterator[Heard]:
        """Go by other settings from the next frame on; what is being said is kept.

        Only where a detector comes or goes is what is in progress finished first.
        """
        if (detector is None) != (self.detector is None):
            yield from self.flush()
        elif self._speech and self._speech_before(self._heard, self._speech):
            self._speech.proven = True
        self._set(detector, vad, partial_interval)

    def _set(self, detector: Detector | None, vad: VadPart, partial_interval: float | None) -> None:
        self.detector = detector
        """Who judges now."""
        self._confirm_by = CONFIRM_BY if detector else 1
        self._min_speech = _frames(vad.min_speech_duration)
        self._min_silence = _frames(vad.min_silence_duration)
        self._pre_speech = round(vad.pre_speech * RATE / FRAME)
        self._max_utterance = _frames(vad.max_utterance)
        self._partial = _frames(partial_interval) if partial_interval else None

    def flush(self) -> Iterator[Heard]:
        """Finish what is in progress: the sound has ended, or its text is wanted now.

        More sound may follow.
        """
        if self._speech:
            yield from self._finish(self._speech)
        self._recent.clear()

    def pace(self, partial_interval: float | None) -> None:
        """Give `Growing` so often from now on. May be called on any thread."""
        self._partial = _frames(partial_interval) if partial_interval else None

    def _keep(self, frame: Samples, scores: Scores | None) -> _Kept:
        sound = frame.astype(np.float32)
        power, peak = float(sound @ sound) / FRAME, float(np.abs(sound).max())
        self.score = score = scores.speech if scores else 1.0
        voiced = self.detector is None or score >= self.detector.hold
        kept = _Kept(frame, power, peak, score, voiced)
        self._kept.append(kept)
        self._floor.take(power)
        self._heard += 1
        return kept

    def _wait(self, kept: _Kept) -> Iterator[Heard]:
        self._recent.append(self.detector is None or kept.score >= self.detector.start)
        plain = self.detector is not None and kept.score >= self.detector.at_once
        if plain or self._recent.count(True) >= self._confirm_by:
            yield from self._begin()
        else:
            self._forget(len(self._kept) - self._pre_speech - CONFIRM_WITHIN)

    def _begin(self) -> Iterator[Heard]:
        count = len(self._kept) - len(self._recent) + self._recent.index(True)
        confidence = float(np.mean([kept.score for kept in self._kept[count:]]))
        while count > 0 and self._kept[count - 1].voiced:
            count -= 1
        count = max(0, count - (self.detector.lag if self.detector else 0))
        first = self._kept_from + count
        self._forget(count - self._pre_speech)
        self._recent.clear()
        self._numbers += 1
        self._speech = _Speech(first, self._heard - 1, self._numbers, first, self._heard)
        if self.detector:
            yield SpeechBegan(confidence, _seconds(first), self._numbers)

    def _go_on(self, speech: _Speech, kept: _Kept) -> Iterator[Heard]:
        now = self._heard - 1
        if kept.voiced:
            speech.last = now
            speech.first = now if speech.first is None else speech.first
        if now - speech.last >= self._min_silence:
            yield from self._finish(speech)
        elif len(self._kept) >= self._max_utterance:
            yield from self._cut(speech)
        elif now - speech.last == TAIL_FRAMES:
            yield from self._grow(speech, paused=True)
        elif self._is_time_to_grow(speech):
            yield from self._grow(speech)

    def _is_time_to_grow(self, speech: _Speech) -> bool:
        """Whether enough has been added, and not only silence."""
        every = self._partial
        if not every or speech.last <= speech.told_last:
            return False
        return self._heard - speech.told >= every

    def _grow(self, speech: _Speech, paused: bool = False) -> Iterator[Heard]:
        """Give the piece so far."""
        bounds = self._speech_before(self._heard, speech)
        if bounds is None:
            return
        speech.told, speech.told_last = self._heard, speech.last
        start, end = bounds
        audio = _joined(self._kept[: self._tail_of(speech) - self._kept_from])
        yield Growing(speech.utterance, start, end, _seconds(self._kept_from), audio, paused)

    def _finish(self, speech: _Speech) -> Iterator[Heard]:
        bounds = self._speech_before(self._heard, speech)
        number = speech.utterance if bounds else speech.given or speech.utterance
        self._speech = None
        if self.detector:
            start, end = _seconds(speech.began), _seconds(speech.last + 1)
            yield SpeechFinished(start, end, number, heard=bounds is not None or speech.given > 0)
        if bounds:
            yield self._take(number, bounds, self._tail_of(speech), cut=False)

    def _cut(self, speech: _Speech) -> Iterator[Heard]:
        """Give the piece up to its quietest place; what follows is the next piece.

        A piece without speech is forgotten: a `min_silence_duration` near `max_utterance`
        makes them.
        """
        place = self._kept_from + quietest([kept.power for kept in self._kept])
        bounds = self._speech_before(place, speech)
        speech.first = next(self._voiced(place, self._heard), None)
        speech.told = self._heard
        if bounds is None:
            self._forget(place - self._kept_from)
            return
        piece = self._take(speech.utterance, bounds, place, cut=True)
        self._numbers += 1
        speech.given, speech.utterance = piece.utterance, self._numbers
        yield piece

    def _speech_before(self, place: int, speech: _Speech) -> tuple[float, float] | None:
        """The bounds, in seconds, of the piece's speech before a place.

        None if there is not enough to be worth transcribing; after a cut any is.
        """
        if speech.first is None:
            return None
        first, last = speech.first, max(self._voiced(speech.first, place), default=-1)
        certain = speech.given or speech.proven
        if last < first or not (certain or self._is_speech(first, last)):
            return None
        return _seconds(first), _seconds(last + 1)

    def _is_speech(self, first: int, last: int) -> bool:
        if self.detector is None:
            return True
        kept_from = self._kept_from
        kept = self._kept[first - kept_from : last + 1 - kept_from]
        sure = sum(frame.score >= self.detector.sure for frame in kept)
        wanted = max(SURE_BY, SURE_SHARE * min(len(kept), _frames(SURE_WITHIN)))
        return len(kept) >= self._min_speech and sure >= wanted

    def _tail_of(self, speech: _Speech) -> int:
        """The place up to which its sound is wanted."""
        return min(self._heard, speech.last + 1 + TAIL_FRAMES)

    def _take(self, number: int, bounds: tuple[float, float], place: int, cut: bool) -> Utterance:
        """Give what is kept before a place, and keep the rest."""
        audio_start, count = _seconds(self._kept_from), place - self._kept_from
        audio = _joined(self._kept[:count])
        self._forget(count)
        return Utterance(number, *bounds, audio_start, audio, cut)

    @property
    def _kept_from(self) -> int:
        return self._heard - len(self._kept)

    def _voiced(self, first: int, upto: int) -> Iterator[int]:
        """The places of kept voiced frames."""
        kept_from = self._kept_from
        return (place for place in range(first, upto) if self._kept[place - kept_from].voiced)

    def _forget(self, count: int) -> None:
        if count > 0:
            del self._kept[:count]

    def _tell_loudness(self, kept: _Kept, scores: Scores) -> Iterator[Loudness]:
        power, peak = self._loudest
        if self._heard % LOUDNESS_EVERY:
            self._loudest = (kept.power, kept.peak)
            return
        rms = math.sqrt((power + kept.power) / LOUDNESS_EVERY)
        speaking = self._speech is not None and self.detector is not None
        threshold = self.detector.start if self.detector else None
        loudest, floor = _dbfs(max(peak, kept.peak)), _dbfs(math.sqrt(self._floor.power))
        yield Loudness(_dbfs(rms), loudest, scores, speaking, self.seconds, threshold, floor)


def _joined(kept: list[_Kept]) -> Samples:
    return np.concatenate([frame.samples for frame in kept])


def _frames(seconds: float) -> int:
    return max(1, round(seconds * RATE / FRAME))


def _seconds(frames: int) -> float:
    return frames * FRAME / RATE


def _dbfs(amplitude: float) -> float:
    return max(FLOOR_DBFS, 20 * math.log10(amplitude / 32768)) if amplitude else FLOOR_DBFS
