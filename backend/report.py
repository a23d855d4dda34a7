"""The doctor's report as plain lines. Pure."""

import textwrap
from collections.abc import Iterator

from common.api import DoctorReport

MARKS = {"ok": "✓", "note": "·", "fault": "✗"}
PLAIN = {"ok": "+", "note": "-", "fault": "!"}
"""For terminals that can't show the others."""


def lines(report: DoctorReport, width: int, encoding: str) -> Iterator[str]:
    """Give the report's lines, none wider than the terminal where words allow it.

    Args:
        report: what was found.
        width: columns of the terminal.
        encoding: the output's; what it can't encode isn't used.

    """
    marks = MARKS if _can(encoding) else PLAIN
    column = max((len(one.name) for one in report.findings), default=0) + 10
    before = ""
    for one in report.findings:
        name, before = ("" if one.name == before else one.name), one.name
        head = f"{marks[one.state]} {one.state:5}  {name}".ljust(column)
        yield from _wrapped(head, one.found, width, encoding)
        if one.cure:
            yield from _wrapped(" " * column, f"to mend it: {one.cure}", width, encoding)
    faults = sum(one.state == "fault" for one in report.findings)
    yield ""
    many = "one fault" if faults == 1 else f"{faults} faults"
    yield "nothing keeps the server from its work" if report.healthy else f"{many}: see above"


def _wrapped(head: str, text: str, width: int, encoding: str) -> list[str]:
    safe = text.encode(encoding, "replace").decode(encoding)
    room = max(width, len(head) + 20)
    return textwrap.wrap(
        " ".join(safe.split()),
        room,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _can(encoding: str) -> bool:
    try:
        "".join(MARKS.values()).encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
