"""Which utterances are picked out with the keys: one, or a range. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Picked:
    """A cursor on an utterance, and where a range up to it begins."""

    cursor: int | None = None
    """Index of an entry; None while nothing is picked."""
    anchor: int | None = None
    """The range's other end; None while there is no range."""

    def __contains__(self, index: int) -> bool:
        if self.cursor is None:
            return False
        anchor = self.cursor if self.anchor is None else self.anchor
        return min(anchor, self.cursor) <= index <= max(anchor, self.cursor)

    @property
    def span(self) -> range:
        """Return the indices that are picked."""
        if self.cursor is None:
            return range(0)
        anchor = self.cursor if self.anchor is None else self.anchor
        return range(min(anchor, self.cursor), max(anchor, self.cursor) + 1)

    def moved(self, cursor: int) -> "Picked":
        """Return the same with the cursor elsewhere; a range grows or shrinks."""
        return Picked(cursor, self.anchor)

    def marked(self) -> "Picked":
        """Return a range that begins at the cursor, or the cursor alone if there was one."""
        return Picked(self.cursor, self.cursor if self.anchor is None else None)

    def after_forgetting(self, count: int) -> "Picked":
        """Return the same after the oldest entries have gone."""
        if self.cursor is None or self.cursor < count:
            return Picked()
        anchor = None if self.anchor is None else max(0, self.anchor - count)
        return Picked(self.cursor - count, anchor)
