"""Which speech of a session is for us? What the wake word, said or read, lets through.

Lives on the event loop. A session without a wake word lets everything through.
"""

from collections.abc import Callable

import numpy as np

from backend.hearing import FRAME, RATE, Samples
from backend.hearing.heard import Growing, Utterance
from backend.hearing.phrases import beginning
from backend.hearing.segmenter import CONFIRM_WITHIN
from backend.hearing.vigil import Vigil
from backend.hearing.wake import Choice, Spotted
from common.api import WakeWordStatus
from common.events import Event, WakeWord, WakeWordTimeout
from common.profile import WakeWordPart

DEAF = 1.5
"""Seconds after the word in which a detector's further hits are the same word."""
NOTICING = CONFIRM_WITHIN * FRAME / RATE
"""Seconds that speech goes on, at most, before it is known to have begun."""
LEAST = 0.3
"""Seconds of sound after the word that may hold more words."""


class Waking:
    """One session's wakefulness."""

    def __init__(
        self, part: WakeWordPart, choice: Choice, *, always: bool, tell: Callable[[Event], None]
    ) -> None:
        """Begin asleep.

        Args:
            part: words, sensitivity and durations.
            choice: the detector; ``transcript`` has the engine read what is said meanwhile.
            always: let everything through and only tell of the word.
            tell: publishes an event.

        """
        self._part = part
        self._choice = choice
        self._always = always
        self._by_text = choice.name == "transcript"
        self._tell = tell
        self._vigil = Vigil(part.timeout, part.follow_up)
        self._said: dict[int, float | None] = {}
        self._unread: set[int] = set()
        self._goes_on: int | None = None
        self._spotted = -DEAF

    def status(self) -> WakeWordStatus:
        """Return how it is now."""
        return WakeWordStatus(
            detector=self._choice.name,
            reason=self._choice.reason,
            words=self._part.words,
            awake=self._always or self._vigil.awake,
        )

    def spot(self, spotted: Spotted) -> None:
        """Take a hit of the detector."""
        again = spotted.end - self._spotted < DEAF
        self._spotted = spotted.end
        if again:
            return
        self._announce(spotted.word, spotted.confidence, spotted.end)
        if spotted.utterance is not None:
            self._said[spotted.utterance] = spotted.end

    def reads(self, heard: Growing | Utterance) -> bool:
        """Whether the engine is to read it: it is for us, or may be.

        Whether an answer is followed is known after it has been read.
        """
        if self._by_text:
            return True
        wanted = self._is_for_us(heard) or bool(self._unread)
        if wanted and isinstance(heard, Utterance) and (heard.cut or self._part.follow_up):
            self._unread.add(heard.utterance)
        return wanted

    def rest(self, heard: Growing | Utterance, text: str) -> str | None:
        """Return the text without the wake word; None if it isn't for us, or not yet known to be.

        Wakes the session where the engine read the word.
        """
        if heard.utterance == self._goes_on or (self._always and not self._by_text):
            return text
        match = beginning(text, self._part.words, self._part.sensitivity)
        if match and self._by_text and heard.utterance not in self._said:
            self._said[heard.utterance] = None
            self._announce(match.phrase, match.likeness, heard.end)
        if self._always:
            return text
        if not self._is_for_us(heard):
            return None
        return match.rest if match else self._without_a_match(heard, text)

    def _without_a_match(self, heard: Growing | Utterance, text: str) -> str | None:
        if heard.utterance not in self._said:
            return text
        if not self._by_text:
            return None  # The word is there, but who knows where.
        # An earlier reading of it began with the word: no other word may be lost for it.
        match = beginning(text, self._part.words, 1)
        return match.rest if match else text

    def sound_after(self, heard: Utterance) -> Samples | None:
        """Return the sound after the word, where the detector knows its end; None of too little."""
        end = self._said.get(heard.utterance)
        if end is None:
            return None
        rest = heard.audio[max(0, round((end - heard.audio_start) * RATE)) :]
        spoken = heard.end - end
        return np.ascontiguousarray(rest) if spoken >= LEAST else None

    def answered(self, heard: Utterance, text: str) -> None:
        """Know what was told of an utterance; an empty text leaves it awake for the next."""
        if heard.cut and self._is_for_us(heard):
            self._goes_on = heard.utterance + 1
        if text:
            self._vigil.answered(heard.end)

    def forget(self, heard: Utterance) -> None:
        """Know that no more will be asked of an utterance."""
        self._said.pop(heard.utterance, None)
        self._unread.discard(heard.utterance)

    def look_at_the_time(self, now: float) -> None:
        """Fall asleep if nobody spoke in time. Not to be called amid speech."""
        if self._vigil.nobody_spoke(now - NOTICING):
            self._tell(WakeWordTimeout())

    def _is_for_us(self, heard: Growing | Utterance) -> bool:
        called = heard.utterance in self._said or heard.utterance == self._goes_on
        return self._always or called or self._vigil.heeds(heard.start)

    def _announce(self, word: str, confidence: float | None, at: float) -> None:
        self._vigil.wake(at)
        sure = None if confidence is None else round(confidence, 3)
        self._tell(WakeWord(wake_word=word, confidence=sure, timeout=self._part.timeout))
