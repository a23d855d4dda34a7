"""The line of keys at the bottom."""

from textual.widgets import Footer


class KeyLine(Footer):
    """A footer that lets go of the keys it showed before.

    Textual's own makes its keys anew whenever the focus moves, and keeps the old ones as watchers
    of `compact` until that changes, which it never does: a quarter of a megabyte each time.
    """

    async def recompose(self) -> None:
        await super().recompose()
        if self.is_attached:
            # Watchers that have closed are dropped on a change, or what passes for one.
            self.mutate_reactive(Footer.compact)
