"""What the console knows about the server, folded from what the server tells. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from common.link import Link

if TYPE_CHECKING:
    from common.api import SessionFigures, TranscriptionStatus
    from common.events import AudioStatus, EngineStatus, ModelProgress


@dataclass(frozen=True)
class State:
    """Everything but the words and the levels."""

    url: str = ""
    """The server's address."""
    link: Link = field(default_factory=lambda: Link("connecting"))
    refusal: str = ""
    """Why the server doesn't let us in; empty while it does."""
    version: str = ""
    """The server's."""
    running: bool = False
    """The server's own listening is on."""
    doing: str = ""
    """What was asked for and is under way: ``starting``, ``stopping``."""
    profile: str | None = None
    wanted: str | None = None
    """The profile chosen for the next start; None takes the server's default."""
    engine: EngineStatus | None = None
    progress: ModelProgress | None = None
    session_id: str | None = None
    """Of the server's own listening."""
    source: str = ""
    started: float | None = None
    """When the listening began, in Unix seconds of this machine's clock."""
    skew: float = 0.0
    """Seconds that this machine's clock is ahead of the server's."""
    latency: float | None = None
    """Seconds from the end of speech to the last final."""
    audio: AudioStatus | None = None
    """How the sound of the server's own listening is; None while nothing listens."""
    wake: str = ""
    """The wake word that was heard, while the server waits for what follows it."""
    wake_until: float | None = None
    """When the server gives that up, in Unix seconds of this machine's clock."""
    waits_for: tuple[str, ...] = ()
    """The wake words without which the server's own listening transcribes nothing."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """Where each session's sound comes from, by the session's id."""
    figures: TranscriptionStatus | None = None
    """How the engine and the sessions did when they were last asked."""
    round_trip: float | None = None
    """Seconds that the server took for its last answer on the event stream."""
    up_since: float | None = None
    """When the server came up, in Unix seconds of this machine's clock."""

    @property
    def connected(self) -> bool:
        return self.link.state == "up" and not self.refusal

    @property
    def own_figures(self) -> SessionFigures | None:
        """Return how the server's own listening did when it was last asked."""
        sessions = self.figures.sessions if self.figures else []
        return next((one for one in sessions if one.session_id == self.session_id), None)

    def speaker(self, session_id: str | None) -> str:
        """Return what a session is called: by its source, or as the client that feeds it said."""
        return speaker(session_id, self.sources.get(session_id or "")) or "earlier"


_DRAWN = re.compile("[0-9a-f]{12}")
"""Ids that the server made up, which tell nobody anything."""


def speaker(session_id: str | None, source: str | None) -> str:
    """Return what a session is called; empty where nothing is known of it but a made-up id."""
    if source and is_own(source):
        return source_name(source)
    if session_id and not _DRAWN.fullmatch(session_id):
        return session_id
    return f"{source} {(session_id or '')[:4]}" if source else ""


def is_own(source: str) -> bool:
    """Whether a session is the server's own listening, not one that a client feeds."""
    return source not in ("stream", "upload")


def source_name(source: str) -> str:
    """Return a source as people say it: a file by its name alone."""
    kind, _, path = source.partition(":")
    return path.replace("\\", "/").rpartition("/")[2] if kind == "file" else source


def linked(state: State, link: Link) -> State:
    """Return the state after a change of the connection."""
    return replace(state, link=link, refusal="" if link.state == "up" else state.refusal)


def recovery(before: AudioStatus | None, now: AudioStatus | None) -> str:
    """Return what is to be said of a microphone whose fault is over; empty if none is."""
    if not (before and before.fault and now) or now.fault:
        return ""
    return f"the microphone {now.device} is back" if before.gone else "there is sound again"
