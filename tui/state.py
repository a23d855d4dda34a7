"""What the console knows about the server, folded from what the server tells. Pure."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import singledispatch

from common.api import SessionFigures, SessionInfo, Status, TranscriptionStatus
from common.events import (
    MODEL_RESTS,
    AudioStatus,
    EngineStatus,
    Event,
    ModelProgress,
    SessionStarted,
    SessionStopped,
    SystemStatus,
    Transcription,
    WakeWord,
    WakeWordTimeout,
    Welcome,
)
from common.stream import Link


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
        source = self.sources.get(session_id or "")
        if source and is_own(source):
            return source_name(source)
        if session_id and not _DRAWN.fullmatch(session_id):
            return session_id
        return f"{source} {(session_id or '')[:4]}" if source else "earlier"


_DRAWN = re.compile("[0-9a-f]{12}")
"""Ids that the server made up, which tell nobody anything."""


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


def known(state: State, status: Status) -> State:
    """Return the state after the server told all of its own."""
    own = next((one for one in status.sessions if is_own(one.source)), None)
    state = replace(
        state,
        running=status.running,
        profile=status.profile,
        engine=status.engine,
        audio=status.audio,
        version=status.version,
        waits_for=tuple(status.wake_word.words) if status.wake_word else (),
        sources={**state.sources, **{one.session_id: one.source for one in status.sessions}},
        up_since=time.time() - status.uptime,
        progress=None if status.engine.state == "ready" else state.progress,
    )
    return _listening(state, own) if own and status.running else _silent_if_stopped(state)


def _listening(state: State, session: SessionInfo) -> State:
    return replace(
        state,
        session_id=session.session_id,
        source=session.source,
        started=session.started + state.skew,
    )


def _silent_if_stopped(state: State) -> State:
    if state.running:
        return state
    return replace(
        state,
        session_id=None,
        source="",
        started=None,
        audio=None,
        wake="",
        wake_until=None,
        waits_for=(),
        figures=None,
    )


def recovery(before: AudioStatus | None, now: AudioStatus | None) -> str:
    """Return what is to be said of a microphone whose fault is over; empty if none is."""
    if not (before and before.fault and now) or now.fault:
        return ""
    return f"the microphone {now.device} is back" if before.gone else "there is sound again"


@singledispatch
def after(event: Event, state: State) -> State:
    """Return the state after an event."""
    return state


@after.register
def _(event: Welcome, state: State) -> State:
    return _silent_if_stopped(
        replace(
            state,
            version=event.version,
            running=event.running,
            profile=event.profile,
            skew=time.time() - event.timestamp,
            wake="",
            wake_until=None,
        )
    )


@after.register
def _(event: SystemStatus, state: State) -> State:
    engine = event.engine or state.engine
    return _silent_if_stopped(
        replace(
            state,
            running=event.running,
            profile=event.profile or state.profile,
            engine=engine,
            audio=event.audio,
            progress=None if engine and engine.state == "ready" else state.progress,
        )
    )


@after.register
def _(event: ModelProgress, state: State) -> State:
    return replace(state, progress=None if event.stage in MODEL_RESTS else event)


@after.register
def _(event: SessionStarted, state: State) -> State:
    sources = state.sources
    if event.session_id:
        sources = {**sources, event.session_id: event.source}
    if not is_own(event.source):
        return replace(state, sources=sources)
    return replace(
        state,
        sources=sources,
        running=True,
        session_id=event.session_id,
        source=event.source,
        profile=event.profile or state.profile,
        started=event.timestamp + state.skew,
    )


@after.register
def _(event: SessionStopped, state: State) -> State:
    if event.session_id != state.session_id:
        return state
    return _silent_if_stopped(replace(state, running=False))


@after.register
def _(event: Transcription, state: State) -> State:
    latency = event.latency if event.is_final and event.latency is not None else state.latency
    if state.wake and event.session_id == state.session_id:
        return replace(state, latency=latency, wake="", wake_until=None)
    # Most partials change nothing here: then nothing is drawn anew.
    return state if latency == state.latency else replace(state, latency=latency)


@after.register
def _(event: WakeWord, state: State) -> State:
    until = event.timestamp + state.skew + event.timeout
    return replace(state, wake=event.wake_word, wake_until=until)


@after.register
def _(event: WakeWordTimeout, state: State) -> State:
    return replace(state, wake="", wake_until=None)
