"""Is somebody listened to? Asleep until the wake word, awake for what follows it. Pure.

Time is seconds of the session's sound, so a recording wakes and sleeps as it would have live. What
was said is known later than when the word is said again: each is about its own time.
"""

EARLY = 1.0
"""Seconds by which speech may have begun before the end of the word: with the word itself."""


class Vigil:
    """The state of one session."""

    def __init__(self, timeout: float, follow_up: float) -> None:
        """Begin asleep.

        Args:
            timeout: seconds after the wake word in which speech must begin.
            follow_up: seconds after an answer in which the next may begin without the word.

        """
        self._timeout = timeout
        self._follow_up = follow_up
        self._open: list[tuple[float, float]] = []

    @property
    def awake(self) -> bool:
        return bool(self._open)

    def wake(self, at: float) -> None:
        """Know that the word was said."""
        self._open.append((at, at + self._timeout))

    def heeds(self, start: float) -> bool:
        """Whether speech that began then is listened to."""
        return any(since - EARLY <= start <= until for since, until in self._open)

    def answered(self, end: float) -> None:
        """Know that something was said, up to then: it stays awake for `follow_up`, if any."""
        self._open = [(since, until) for since, until in self._open if since > end]
        if self._follow_up:
            self._open.append((end, end + self._follow_up))

    def nobody_spoke(self, now: float) -> bool:
        """Fall asleep if it is time; True once, when it does. Not to be asked amid speech."""
        if not self._open or now <= max(until for _, until in self._open):
            return False
        self._open.clear()
        return True
