"""The lines of the transcript: what was said, and remarks between. Pure."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tui.text import printable
from tui.wrapping import wrap

if TYPE_CHECKING:
    from common.events import Transcription

Key = tuple[str | None, str]
"""Session and utterance: two sessions may number their utterances alike."""

MOST = 200_000
"""Entries from which the oldest tenth is let go: a week of talk, about 200 MB."""


@dataclass(slots=True)
class Entry:
    """One utterance or one remark, broken into lines. A final is a `common.export.Final`."""

    kind: Literal["partial", "final", "note", "fault"]
    text: str
    """Printable."""
    at: float
    """Unix seconds: when it was first seen."""
    confidence: float | None = None
    stable: int = 0
    """Characters of a partial that won't change."""
    session_id: str | None = None
    utterance_id: str = ""
    timestamp: float = 0.0
    """Unix seconds: when it became what it is."""
    start: float = 0.0
    """Seconds of the session's audio."""
    end: float = 0.0
    """Seconds of the session's audio."""
    language: str | None = None
    lines: list[tuple[int, int]] = field(default_factory=list)
    """Offsets into the text; empty for an utterance that turned out to be nothing."""
    hidden: bool = False
    """It is filtered out."""

    @property
    def height(self) -> int:
        return 0 if self.hidden else len(self.lines)

    @property
    def is_final(self) -> bool:
        return self.kind == "final"

    @property
    def is_said(self) -> bool:
        """Whether it is an utterance that can be seen."""
        return self.height > 0 and self.kind in ("partial", "final")

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
        event.session_id,
        event.utterance_id,
        event.timestamp,
        event.start,
        event.end,
        event.language,
    )


def everything(entry: Entry) -> bool:
    """Let every entry be seen."""
    return True


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
        self._shown: Callable[[Entry], bool] = everything

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index: int) -> Entry:
        return self._entries[index]

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    @property
    def height(self) -> int:
        """Lines of all entries."""
        return self._tops[-1] + self._entries[-1].height if self._entries else 0

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
        self._fit(entry)
        self._entries[index] = entry
        self._restack(index)
        return index

    def append(self, entry: Entry) -> int:
        """Put an entry at the end; return its index."""
        self._fit(entry)
        self._tops.append(self.height)
        self._entries.append(entry)
        return len(self._entries) - 1

    def forget_oldest(self, count: int) -> int:
        """Let the oldest entries go; return how many lines they took."""
        lines = self._tops[count] if count < len(self) else self.height
        del self._entries[:count]
        self._tops = [top - lines for top in self._tops[count:]]
        self._by_key = {key: at - count for key, at in self._by_key.items() if at >= count}
        return lines

    def rewrap(self, width: int) -> None:
        """Break all entries anew."""
        self.width = width
        for entry in self._entries:
            entry.wrap(width)
        self._restack(0)

    def sift(self, shown: Callable[[Entry], bool]) -> None:
        """Hide, now and from now on, what is not to be shown."""
        self._shown = shown
        for entry in self._entries:
            entry.hidden = not shown(entry)
        self._restack(0)

    def near(self, index: int, step: Literal[-1, 1]) -> int | None:
        """Return the next visible utterance from an index, itself included; None at the end."""
        while 0 <= index < len(self):
            if self._entries[index].is_said:
                return index
            index += step
        return None

    def matching(self, pattern: re.Pattern[str]) -> list[int]:
        """Return the visible entries whose text matches."""
        return [
            index
            for index, entry in enumerate(self._entries)
            if entry.height and pattern.search(entry.text)
        ]

    def finals(self, *, shown: bool = False) -> list[Entry]:
        """Return what was said, oldest first; `shown` leaves out what is filtered out."""
        return [
            entry
            for entry in self._entries
            if entry.kind == "final" and entry.text and not (shown and entry.hidden)
        ]

    def said(self) -> list[str]:
        """Return the text of all finals, oldest first."""
        return [entry.text for entry in self.finals()]

    def last_said(self) -> str:
        """Return the text of the newest utterance, final or not; empty when there is none."""
        last = self.near(len(self) - 1, -1)
        return "" if last is None else self._entries[last].text

    def _fit(self, entry: Entry) -> None:
        entry.wrap(self.width)
        entry.hidden = not self._shown(entry)

    def _restack(self, index: int) -> None:
        top = self._tops[index] if index < len(self._tops) else 0
        if index == 0:
            top = 0
        for place in range(index, len(self._entries)):
            self._tops[place] = top
            top += self._entries[place].height
