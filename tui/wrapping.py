"""Breaking text into lines of terminal cells. Pure."""

import re

from rich.cells import cell_len, chop_cells

_WIDE = (
    "\u2e80-\u303e\u3041-\ua4cf\uf900-\ufaff\ufe30-\ufe4f\uff01-\uff60\uffe0-\uffe6"
    "\U00020000-\U0003fffd"
)
_PIECES = re.compile(rf"\s+|[{_WIDE}]|[^\s{_WIDE}]+")
"""Spaces, single ideographs (a line may be broken beside each), and words."""


def cells(text: str) -> int:
    """Return how many cells the text takes."""
    # rich keeps short texts in a cache; plain ASCII doesn't even need a look.
    return len(text) if text.isascii() else cell_len(text)


def wrap(text: str, width: int) -> list[tuple[int, int]]:
    """Return the lines as offsets into the text: at least one, none wider than `width` cells.

    Lines are broken at white space, which is left out there; beside ideographs; and within
    words that are longer than a line. A character wider than the line stands alone.
    """
    width = max(1, width)
    if cells(text) <= width:
        return [(0, len(text))]
    lines: list[tuple[int, int]] = []
    start = end = used = 0
    for at, piece in _pieces(text, width):
        size = cells(piece)
        if piece.isspace():
            # Counted now, drawn only if something follows on the same line.
            used += size
            continue
        if used + size > width and end > start:
            lines.append((start, end))
            start, used = at, 0
        elif end == start:
            start, used = at, 0
        end = at + len(piece)
        used += size
    lines.append((start, end))
    return lines


def _pieces(text: str, width: int) -> list[tuple[int, str]]:
    pieces: list[tuple[int, str]] = []
    for match in _PIECES.finditer(text):
        piece = match.group()
        at = match.start()
        parts = [piece] if cells(piece) <= width or piece.isspace() else chop_cells(piece, width)
        for part in filter(None, parts):
            pieces.append((at, part))
            at += len(part)
    return pieces
