"""What is said on the page of an event that isn't speech."""

from collections.abc import Iterator
from typing import NamedTuple

from common.events import (
    Error,
    Event,
    SessionStarted,
    SessionStopped,
    WakeWord,
    WakeWordTimeout,
    Welcome,
)
from tui.state import speaker

ANEW = "the server was started anew"
GAP = "— some of what was said is missing here —"


class Remark(NamedTuple):
    """A line between the utterances."""

    text: str
    fault: bool = False


def remark_of(event: Event) -> Remark | None:
    """Return what to say of an event; None of most."""
    match event:
        case SessionStarted(session_id=session, source=source, profile=profile):
            how = f" with {profile}" if profile else ""
            return Remark(f"listening to {speaker(session, source)}{how}")
        case SessionStopped(reason=reason):
            return Remark(f"listening {reason}")
        case WakeWord(wake_word=word, confidence=confidence):
            sure = "" if confidence is None else f" ({confidence:.2f})"
            return Remark(f"wake word “{word}”{sure}")
        case WakeWordTimeout():
            return Remark("nobody spoke after the wake word")
        case Error(error=error, details=details):
            return Remark(f"{error}: {details}", fault=True)
    return None


def remarks_on(welcome: Welcome, before: Welcome | None) -> Iterator[Remark]:
    """Yield what is to be said where a connection was made again.

    Args:
        welcome: the server's first word on it.
        before: that on the one before, to the same address; None if there was none.

    """
    # Another server of a cluster tells the same events.
    if before and welcome.server_id != before.server_id and not welcome.cluster:
        yield Remark(ANEW)
    if welcome.gap:
        yield Remark(GAP, fault=True)
