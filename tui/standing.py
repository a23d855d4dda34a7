"""What the list of profiles says of one: how it stands, and what is wrong with it. Pure."""

from textual.content import Content

from common.api import ProfileSummary
from tui.text import MUTED, one_line


def described(profile: ProfileSummary, default: str, used: str | None) -> Content:
    """Return a profile's line: its name, its standing, or its fault."""
    words = [
        word
        for word, holds in (
            ("in use", profile.name == used),
            ("default", profile.name == default),
            ("built in", profile.builtin),
        )
        if holds
    ]
    fault = ("  ✗ can't be used", "$text-error") if profile.fault else ""
    return Content.assemble(
        ("● " if profile.name == used else "  ", "$text-success"),
        (one_line(profile.name), "bold"),
        (f"  {', '.join(words)}" if words else "", MUTED),
        fault,
    )


def told_fault(name: str, fault: str) -> Content:
    """Return why a saved profile can't be used, and what to do about it."""
    return Content.assemble(
        ("This profile can't be used:\n\n", "$text-error"),
        one_line(fault),
        (
            f"\n\nIts file is kept on the server: mend {one_line(name)}.json in its profiles "
            "folder, save a sound profile of that name, or delete it with x.",
            MUTED,
        ),
    )
