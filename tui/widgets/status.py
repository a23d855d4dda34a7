"""What the server is doing, in a few lines."""

import time

from textual.content import Content
from textual.reactive import reactive

from tui.state import State, source_name
from tui.text import FAINT, MUTED, one_line
from tui.widgets.ticking import Ticking

Row = tuple[str, str, str]
"""Label, text and style."""


def duration(seconds: float) -> str:
    """Return ``0:07``, ``12:34`` or ``1:02:03``."""
    whole = max(0, int(seconds))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def engine_rows(state: State) -> list[Row]:
    """Return which engine, its model, and why it is this one."""
    engine = state.engine
    if engine is None:
        return [("engine", "-", FAINT), ("model", "-", FAINT), ("", "", "")]
    tone = {"ready": "", "failed": "$text-error"}.get(engine.state, "$text-warning")
    rows = [
        ("engine", f"{engine.name} · {engine.state}", tone),
        ("model", engine.model or "-", ""),
        ("", engine.reason, MUTED),
    ]
    if state.progress:
        rows[1] = ("model", progress_words(state), "$text-warning")
    return rows


def progress_words(state: State) -> str:
    """Return how far the model has come on its way to being ready."""
    progress = state.progress
    if progress is None:
        return ""
    share = f" {progress.done / progress.total:.0%}" if progress.total else ""
    return f"{progress.stage}{share} · {progress.model}"


def session_row(state: State, now: float) -> Row:
    """Return whether the server listens, to what and for how long. `now` is Unix time."""
    if state.doing:
        return "session", f"{state.doing} …", "$text-warning"
    if not state.running:
        return "session", "○ stopped", MUTED
    audio = state.audio
    if audio and audio.gone:
        return "session", "◌ waiting for the microphone to come back", "$text-warning"
    length = f" {duration(now - state.started)}" if state.started is not None else ""
    source = f" · {source_name(state.source)}" if state.source else ""
    wake = f" · heard “{state.wake}”" if state.wake else ""
    if audio and audio.silent and audio.fault:
        return "session", f"● listening{length}{source} · only digital silence", "$text-warning"
    return "session", f"● listening{length}{source}{wake}", "$text-success"


def profile_row(state: State) -> Row:
    """Return the profile in use, or the one chosen for the next start."""
    if state.wanted and state.wanted != state.profile:
        return "profile", f"{state.wanted} · from the next start", ""
    return "profile", state.profile or "-", ""


def latency_row(state: State) -> Row:
    """Return how long the last final took."""
    if state.latency is None:
        return "latency", "-", FAINT
    return "latency", f"{state.latency:.2f} s", ""


class Status(Ticking):
    """Engine, model, profile, session and latency."""

    state: reactive[State] = reactive(State)

    def __init__(self) -> None:
        super().__init__()
        self.border_title = "Server"

    def watch_state(self, state: State) -> None:
        self.ticking = state.running
        self.tooltip = Content(one_line(state.engine.reason)) if state.engine else None

    def render(self) -> Content:
        rows = self._rows()
        return Content("\n").join([self._line(*row) for row in rows[: self.size.height]])

    def _rows(self) -> list[Row]:
        state = self.state
        session = session_row(state, time.time())
        profile = profile_row(state)
        if self.size.height >= 6:
            return [session, profile, *engine_rows(state), latency_row(state)]
        return [session, profile, engine_rows(state)[0]]

    def _line(self, label: str, text: str, style: str) -> Content:
        room = max(1, self.size.width - 9)
        return Content.assemble(
            (f"{label:<9}", MUTED),
            Content.styled(one_line(text), style).truncate(room, ellipsis=True),
        )
