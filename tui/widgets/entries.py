"""The lines of the transcript: what was said, and remarks between. Pure."""

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Literal

from common.events import Transcription
from tui.text import printable
from tui.wrapping import wrap

Key = tuple[str | None, str]
"""Session and utterance: two servers may number their utterances alike."""


@dataclass
class Entry:
    """One utterance or one remark, broken into lines."""

    kind: Literal["partial", "final", "note", "fault"]
    text: str
    """Printable."""
    at: float
    """Unix seconds."""
    confidence: float | None = None
    stable: int = 0
    """Characters of a partial that won't change."""
    lines: list[tuple[int, int]] = field(default_factory=list)
    """Offsets into the text; empty for an utterance that turned out to be nothing."""

    def wrap(self, width: int) -> None:
        self.lines = wrap(self.text, width) if self.text else []


def spoken(event: Transcription) -> Entry:
    """Return the entry for what was said, without the white space around it."""
    text = printable(event.text)
    lead = len(text) - len(text.lstrip())
    return Entry(
        "final" if event.is_final else "partial",
        text.strip(),
        event.timestamp,
        event.confidence,
        max(0, event.stable - lead),
    )


class Entries:
    """Entries with their place on an endless page of one width.

    Appending, and replacing near the end, cost the same however many there are.
    """

    def __init__(self, width: int = 80) -> None:
        self.width = width
        """Cells for text."""
        self._entries: list[Entry] = []
        self._tops: list[int] = []
        self._by_key: dict[Key, int] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index: int) -> Entry:
        return self._entries[index]

    @property
    def height(self) -> int:
        """Lines of all entries."""
        return self._tops[-1] + len(self._entries[-1].lines) if self._entries else 0

    def top(self, index: int) -> int:
        """Return the first line of an entry."""
        return self._tops[index]

    def find(self, line: int) -> int:
        """Return the index of the entry that a line belongs to."""
        return max(0, bisect_right(self._tops, line) - 1)

    def place(self, event: Transcription) -> int | None:
        """Take in what was said; return the index of its entry.

        None when it brings nothing: a final stays as it is, whatever comes after it.
        """
        key = (event.session_id, event.utterance_id)
        index = self._by_key.get(key)
        entry = spoken(event)
        if index is None:
            self._by_key[key] = len(self._entries)
            return self.append(entry)
        if self._entries[index].kind == "final":
            return None
        entry.at = self._entries[index].at
        entry.wrap(self.width)
        self._entries[index] = entry
        self._restack(index)
        return index

    def append(self, entry: Entry) -> int:
        """Put an entry at the end; return its index."""
        entry.wrap(self.width)
        self._tops.append(self.height)
        self._entries.append(entry)
        return len(self._entries) - 1

    def rewrap(self, width: int) -> None:
        """Break all entries anew."""
        self.width = width
        for entry in self._entries:
            entry.wrap(width)
        self._restack(0)

    def said(self) -> list[str]:
        """Return the text of all finals, oldest first."""
        return [entry.text for entry in self._entries if entry.kind == "final" and entry.text]

    def last_said(self) -> str:
        """Return the text of the newest utterance, final or not; empty when there is none."""
        for entry in reversed(self._entries):
            if entry.kind in ("partial", "final") and entry.text:
                return entry.text
        return ""

    def _restack(self, index: int) -> None:
        top = self._tops[index] if index < len(self._tops) else 0
        for place in range(index, len(self._entries)):
            self._tops[place] = top
            top += len(self._entries[place].lines)
