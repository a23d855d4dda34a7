"""Breaking text into lines of terminal cells. Pure."""

import re

from rich.cells import cell_len, chop_cells

_WIDE = (
    "\u2e80-\u303e\u3041-\ua4cf\uf900-\ufaff\ufe30-\ufe4f\uff01-\uff60\uffe0-\uffe6"
    "\U00020000-\U0003fffd"
)
_CLOSING = (
    "\u3001\u3002\u3009\u300b\u300d\u300f\u3011\u3015\u30fb\u30fc"
    "\uff01\uff09\uff0c\uff0e\uff1a\uff1b\uff1f"
)
"""Marks that don't begin a line."""
_PIECES = re.compile(rf"\s+|[{_WIDE}][{_CLOSING}]*|[^\s{_WIDE}]+")
"""Spaces, single ideographs (a line may be broken beside each), and words."""


_JOINED = re.compile("[\u200d\ufe0f\U0001f3fb-\U0001f3ff]")


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
    joined = _JOINED.search(text) is not None
    for at, piece in _pieces(text, width):
        size = cells(piece)
        if piece.isspace():
            # Counted now, drawn only if something follows on the same line.
            used += size
            continue
        # Where characters melt into one another, widths don't add up.
        full = cells(text[start : at + len(piece)]) if joined else used + size
        if full > width and end > start:
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
        parts = [piece] if cells(piece) <= width or piece.isspace() else _chop(piece, width)
        for part in parts:
            pieces.append((at, part))
            at += len(part)
    return pieces


def _chop(word: str, width: int) -> list[str]:
    if not _JOINED.search(word):
        return [part for part in chop_cells(word, width) if part]
    # rich's own chopping doesn't always agree with its measuring here.
    parts = [""]
    for character in word:
        if parts[-1] and cells(parts[-1] + character) > width:
            parts.append("")
        parts[-1] += character
    return parts
