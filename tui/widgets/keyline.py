"""The line of keys at the bottom."""

from collections.abc import Sequence

from rich.cells import cell_len
from textual.events import Resize
from textual.widgets import Footer
from textual.widgets._footer import FooterKey


def fitting(keys: Sequence[FooterKey], room: int) -> list[FooterKey]:
    """Return the keys that so many cells have room for: help, and the first of the others."""
    chosen = [key for key in keys if key.action.endswith("show_help")]
    left = room - sum(map(_width, chosen))
    for key in keys:
        if key not in chosen:
            left -= _width(key)
            if left < 0:
                break
            chosen.append(key)
    return [key for key in keys if key in chosen]


def _width(key: FooterKey) -> int:
    border = key.has_class("-command-palette")
    return cell_len(key.key_display) + cell_len(key.description) + 3 + border


class KeyLine(Footer):
    """A footer that shows whole keys only, and lets go of those it showed before.

    Textual's own makes its keys anew whenever the focus moves, and keeps the old ones as watchers
    of `compact` until that changes, which it never does: a quarter of a megabyte each time.
    """

    def on_resize(self, event: Resize) -> None:
        self._fit()

    async def recompose(self) -> None:
        # Behind a dialog nothing is styled anew; the keys come again when that is closed. Who
        # leaves fast is gone before they come at all.
        if not (self.is_attached and self.screen.is_current):
            return
        await super().recompose()
        self._fit()
        if self.is_attached:
            # Watchers that have closed are dropped on a change, or what passes for one.
            self.mutate_reactive(Footer.compact)

    def _fit(self) -> None:
        keys = [*self.query(FooterKey)]
        shown = fitting(keys, self.size.width)
        for key in keys:
            key.display = key in shown
