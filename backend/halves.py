"""A fault's text in two: what is wrong, and how to mend it. Pure."""

import re

NAMES = re.compile(r"""(?<!\w)'[^']*'|"[^"]*"|\([^()]*\)""")
"""What is quoted or in brackets, the innermost first."""


def halves(error: Exception | str) -> tuple[str, str | None]:
    """Split a fault's text, which says what is wrong and then how to mend it.

    Not within a device's name or a list of them: "HDA Intel PCH: ALC295 Analog (hw:0,0)".
    """
    text = str(error)
    masked, count = NAMES.subn(_blank, text)
    while count:
        masked, count = NAMES.subn(_blank, masked)
    place = masked.find(": ")
    return (text, None) if place < 0 else (text[:place], text[place + 2 :] or None)


def _blank(found: re.Match[str]) -> str:
    return "_" * len(found[0])
