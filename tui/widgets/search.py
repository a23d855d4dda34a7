"""Finding words in the transcript. Pure."""

import re
from bisect import bisect_left, bisect_right
from typing import Literal

from tui.widgets.entries import Entries, Entry


class Search:
    """The entries that hold a text, whatever its case, and which of them one is at."""

    def __init__(self) -> None:
        self.text = ""
        """What is looked for; empty for nothing."""
        self.found: list[int] = []
        """Indices of entries, in order."""
        self.at: int | None = None
        """The entry that was gone to."""
        self._pattern = re.compile("")

    def look_for(self, text: str, entries: Entries) -> None:
        """Find a text, or nothing any more."""
        self.text = text
        self._pattern = re.compile(re.escape(text), re.IGNORECASE)
        self.again(entries)

    def again(self, entries: Entries) -> None:
        """Find the same where entries have come, gone or been hidden."""
        self.found = entries.matching(self._pattern) if self.text else []
        self.at = self.at if self.at in self.found else None

    def took(self, index: int, entry: Entry) -> None:
        """Know of an entry that came or changed."""
        if not self.text:
            return
        place = bisect_left(self.found, index)
        known = place < len(self.found) and self.found[place] == index
        matches = entry.height > 0 and self._pattern.search(entry.text) is not None
        if matches and not known:
            self.found.insert(place, index)
        elif known and not matches:
            del self.found[place]

    def step(self, step: Literal[-1, 1], start: int) -> int | None:
        """Go to the next match from an entry, around the end; return its index."""
        if not self.found:
            self.at = None
            return None
        if step > 0:
            place = bisect_right(self.found, start) % len(self.found)
        else:
            place = bisect_left(self.found, start) - 1
        self.at = self.found[place]
        return self.at

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return where in a text the matches are."""
        return [match.span() for match in self._pattern.finditer(text)] if self.text else []

    def __str__(self) -> str:
        if not self.text:
            return ""
        if self.at is None:
            return f"{len(self.found)} found"
        return f"{bisect_left(self.found, self.at) + 1} of {len(self.found)}"
