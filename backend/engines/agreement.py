"""Partial hypotheses in, a stable prefix out.

LocalAgreement-2 (Macháček, Dabre and Bojar, "Turning Whisper into Real-Time Transcription
System", 2023): a word is stable once two hypotheses in a row agree on it and on all words
before it. What is stable is never taken back: of a hypothesis that contradicts it, only
the words that follow are taken. Pure: text in, text out, no clock and no engine.
"""


class Agreement:
    """What one utterance's partials have settled on. Make a new one for each utterance.

    A final needs none of this: its text stands as the engine gave it.
    """

    def __init__(self) -> None:
        self._stable: list[str] = []
        self._before: list[str] = []

    def update(self, text: str) -> tuple[str, int]:
        """Take the next hypothesis for the whole utterance so far.

        Args:
            text: the engine's words, however spaced.

        Returns the text to show, its words one space apart, and the length in characters of
        its stable prefix. That prefix begins with every one returned before, and ends before
        the space that follows its last word.

        """
        words = text.split()
        if self._keeps(self._before) and self._keeps(words):
            self._grow(words)
        self._before = words
        tail = words[_consumed(self._stable, words) :]
        return " ".join([*self._stable, *tail]), len(" ".join(self._stable))

    def holds(self, text: str) -> bool:
        """Whether a text, such as the final, begins with what is stable."""
        return self._keeps(text.split())

    def _keeps(self, words: list[str]) -> bool:
        """Whether a hypothesis begins with what is stable."""
        return list(map(_heard, words[: len(self._stable)])) == list(map(_heard, self._stable))

    def _grow(self, words: list[str]) -> None:
        known = len(self._stable)
        for old, new in zip(self._before[known:], words[known:], strict=False):
            if old != new:
                return
            self._stable.append(new)


def _consumed(stable: list[str], words: list[str]) -> int:
    """Return how many of ``words`` tell what ``stable`` tells: the nearest prefix by edits."""
    if not stable:
        return 0
    costs = list(range(len(words) + 1))
    for row, kept in enumerate(stable, start=1):
        diagonal, costs[0] = costs[0], row
        for column, word in enumerate(words, start=1):
            swap = diagonal + (_heard(kept) != _heard(word))
            diagonal = costs[column]
            costs[column] = min(costs[column] + 1, costs[column - 1] + 1, swap)
    return min(range(len(costs)), key=lambda length: (costs[length], abs(length - len(stable))))


def _heard(word: str) -> str:
    """Return what is heard of a word: a capital or a comma doesn't make it another."""
    return "".join(letter for letter in word.casefold() if letter.isalnum()) or word
