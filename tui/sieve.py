"""Which part of the transcript is shown. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tui.widgets.entries import Entry

Sureness = Literal["any", "middle", "high", "low"]

SURENESS: dict[Sureness, tuple[str, str, float, float]] = {
    "any": ("", "everything", 0.0, 2.0),
    "middle": ("≥ 50 %", "what is at least half sure", 0.5, 2.0),
    "high": ("≥ 80 %", "only what is sure", 0.8, 2.0),
    "low": ("< 50 %", "only what is doubtful", 0.0, 0.5),
}
"""Short and long name, and the confidence from and below which a final is shown."""


@dataclass(frozen=True)
class Sieve:
    """What one wants to see of the transcript."""

    speaker: str | None = None
    """Only of this speaker; None for all."""
    sure: Sureness = "any"
    remarks: bool = True
    """Also what happens between the words."""

    @property
    def words(self) -> str:
        """Return what is left out, in few words; empty if nothing is. Tabs show the speaker."""
        parts = [SURENESS[self.sure][0], "" if self.remarks else "no remarks"]
        return " · ".join(part for part in parts if part)

    @property
    def lets_all_through(self) -> bool:
        return self == Sieve()

    def shows(self, entry: Entry, name: Callable[[str | None], str]) -> bool:
        """Whether an entry is to be seen; `name` returns a session's speaker."""
        if entry.kind in ("note", "fault"):
            return self.remarks
        if self.speaker is not None and name(entry.session_id) != self.speaker:
            return False
        if self.sure == "any" or entry.kind == "partial":
            return True
        _, _, least, below = SURENESS[self.sure]
        return entry.confidence is not None and least <= entry.confidence < below
