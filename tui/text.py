"""Text from outside, made fit for a terminal."""

MUTED, FAINT = "$foreground 60%", "$foreground 40%"
"""Styles for what explains and for what is absent. (Content draws ``$text-muted`` undimmed.)"""

_SPACES = "\t\n\v\f\r\x85\u2028\u2029"
_REORDERING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def _stand_in(code: int) -> str:
    if chr(code) in _SPACES:
        return " "
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else "\ufffd"


_UNFIT = {
    code: _stand_in(code)
    for code in (*range(0x20), *range(0x7F, 0xA0), *map(ord, _SPACES + _REORDERING))
} | dict.fromkeys(range(0xD800, 0xE000), "\ufffd")


def printable(text: str) -> str:
    """Return the text with a visible stand-in for whatever would steer the terminal.

    Line breaks and tabs become spaces, other controls their picture (``␛``); codes that
    reorder the rest of the line, and lone surrogates, become ``�``. Each character gives
    exactly one, so offsets into the text stay true.
    """
    return text.translate(_UNFIT)


def one_line(text: str) -> str:
    """Return the text printable and with its white space drawn together."""
    return " ".join(printable(text).split())


def size(count: float) -> str:
    """Return a number of bytes as people read it: ``1.6 GB``."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
