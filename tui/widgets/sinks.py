"""A line on who outside is told what was said; nothing where nobody is."""

from collections.abc import Sequence

from textual.content import Content
from textual.widgets import Static

from common.sinks import SinkStatus
from tui.text import MUTED, one_line

TONES = {"up": "$text-success", "connecting": "$text-warning", "failing": "$text-error"}


def line(sinks: Sequence[SinkStatus]) -> Content:
    """Return how each sink does, in a line."""
    parts: list[tuple[str, str]] = []
    for one in sinks:
        wait = f" {one.lag} wait" if one.lag else ""
        aside = f" {one.letters} put aside" if one.letters else ""
        fault = f" {one_line(one.fault)}" if one.fault and one.state == "failing" else ""
        parts += [("● ", TONES[one.state]), (one.name, "bold"), (f"{wait}{aside}{fault}  ", MUTED)]
    return Content.assemble(("sinks  ", MUTED), *parts)


class SinksLine(Static):
    """Hidden until there is a sink."""

    DEFAULT_CSS = "SinksLine { height: 1; padding: 0 2; display: none; text-overflow: ellipsis; }"

    def show(self, sinks: Sequence[SinkStatus]) -> None:
        """Show how they do now."""
        self.display = bool(sinks)
        self.update(line(sinks))
