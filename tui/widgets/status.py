"""What the server is doing, in a few lines."""

import math
import time

from textual.content import Content
from textual.reactive import reactive

from tui.state import State, source_name
from tui.text import FAINT, MUTED, one_line
from tui.widgets.ticking import Ticking
from tui.wrapping import wrap

LABEL = 9
"""Cells before the texts."""

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
    if not state.connected:
        return "session", "◌ not connected", MUTED
    if not state.running:
        return "session", "○ stopped", MUTED
    audio = state.audio
    if audio and audio.gone:
        return "session", "◌ waiting for the microphone to come back", "$text-warning"
    length = f" {duration(now - state.started)}" if state.started is not None else ""
    source = f" · {source_name(state.source)}" if state.source else ""
    if audio and audio.silent and audio.fault:
        return "session", f"● listening{length}{source} · only digital silence", "$text-warning"
    return "session", f"● listening{length}{source}", "$text-success"


def wake_row(state: State, now: float) -> Row | None:
    """Return what wakes the server, or how long it stays awake; None where nothing has to."""
    if state.wake:
        left = max(0, math.ceil((state.wake_until or now) - now))
        return "wake", f"◉ heard “{state.wake}” · speak within {left} s", "$text-accent"
    if state.waits_for:
        words = " or ".join(f"“{word}”" for word in state.waits_for)
        return "wake", f"◌ waits for {words}", MUTED
    return None


def profile_row(state: State) -> Row:
    """Return the profile in use, or the one chosen for the next start."""
    if state.wanted and state.wanted != state.profile:
        return "profile", f"{state.wanted} · from the next start", ""
    return "profile", state.profile or "-", "" if state.profile else FAINT


def speed_row(state: State) -> Row:
    """Return how long the last final took, and how fast the engine reads."""
    figures = state.own_figures
    parts = []
    if state.latency is not None:
        parts.append(f"{state.latency:.2f} s")
    if figures and figures.real_time_factor is not None:
        parts.append(f"{figures.real_time_factor:.2f} of real time")
    slow = bool(figures and (figures.real_time_factor or 0) > 1)
    tone = "" if parts else FAINT
    return "latency", " · ".join(parts) or "-", "$text-warning" if slow else tone


def loss_words(state: State) -> str:
    """Return what of the sound was lost; empty if nothing was."""
    figures = state.own_figures
    parts = []
    if figures and figures.lost_seconds:
        parts.append(f"{figures.lost_seconds:.1f} s lost")
    if figures and figures.overruns:
        parts.append(f"{figures.overruns} overruns")
    if state.figures and state.figures.queue_depth:
        parts.append(f"{state.figures.queue_depth} waiting")
    return " · ".join(parts)


def server_words(state: State) -> str:
    """Return the server's version and since when it is up."""
    if not state.version:
        return ""
    since = f" · up since {clock(state.up_since, time.time())}" if state.up_since else ""
    return f"{state.version}{since}"


def clock(at: float, now: float) -> str:
    """Return the time of the day, with the weekday or the date where it was not today."""
    then, today = time.localtime(at), time.localtime(now)
    if then[:3] == today[:3]:
        return time.strftime("%H:%M", then)
    days = (now - at) / 86400
    return time.strftime("%a %H:%M" if days < 6 else "%d %b", then)


class Status(Ticking):
    """Engine, model, profile, session and latency."""

    state: reactive[State] = reactive(State)

    def __init__(self) -> None:
        super().__init__()
        self.border_title = "Server"

    def watch_state(self, state: State) -> None:
        self.ticking = state.running and state.connected
        self.border_subtitle = Content(one_line(server_words(state)))
        self.tooltip = Content(one_line(state.engine.reason)) if state.engine else None

    def render(self) -> Content:
        rows = self._rows()
        return Content("\n").join([self._line(*row) for row in rows[: self.size.height]])

    def _rows(self) -> list[Row]:
        state, now = self.state, time.time()
        wake = wake_row(state, now)
        rows = [session_row(state, now), *([wake] if wake else []), profile_row(state)]
        height = self.size.height
        if height < 6:
            return [*rows, engine_rows(state)[0]]
        engine, model, why = engine_rows(state)
        last = [speed_row(state)]
        if loss := loss_words(state):
            last.append(("drops", loss, "$text-warning"))
        # What explains takes the room that is left.
        left = max(0, height - len(rows) - 2 - len(last))
        return [*rows, engine, model, *self._reason(why[1], left), *last]

    def _reason(self, reason: str, most: int) -> list[Row]:
        text = one_line(reason)
        lines = wrap(text, max(1, self.size.width - LABEL))
        shown = [text[start:end] for start, end in lines[:most]]
        if most and len(lines) > most:
            shown[-1] = text[lines[most - 1][0] :]
        return [("", line, MUTED) for line in shown]

    def _line(self, label: str, text: str, style: str) -> Content:
        room = max(1, self.size.width - LABEL)
        return Content.assemble(
            (f"{label:<{LABEL}}", MUTED),
            Content.styled(one_line(text), style).truncate(room, ellipsis=True),
        )
