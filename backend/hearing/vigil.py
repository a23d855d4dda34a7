"""Is somebody listened to? Asleep until the wake word, awake for what follows it. Pure.

Time is seconds of the session's sound, so a recording wakes and sleeps as it would have live.
"""


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
        self._until: float | None = None

    @property
    def awake(self) -> bool:
        return self._until is not None

    def wake(self, at: float) -> None:
        """Know that the word was said."""
        self._until = at + self._timeout

    def heeds(self, start: float) -> bool:
        """Whether speech that began then is listened to."""
        return self._until is not None and start <= self._until

    def answered(self, end: float) -> None:
        """Know that something was said, up to then: it stays awake for `follow_up`, if any."""
        self._until = end + self._follow_up if self._follow_up else None

    def nobody_spoke(self, now: float) -> bool:
        """Fall asleep if it is time; True once, when it does. Not to be asked amid speech."""
        if self._until is None or now <= self._until:
            return False
        self._until = None
        return True
