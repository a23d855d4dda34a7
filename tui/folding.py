"""What becomes of the console's state when the server tells something. Pure.

Apart from `tui.state`, since it knows the shapes of the wire, which take a while to load.
"""

import time
from dataclasses import replace
from functools import singledispatch

from common.api import SessionInfo, Status
from common.events import (
    MODEL_RESTS,
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
from tui.state import State, is_own


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
