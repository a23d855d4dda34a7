"""How the server does: its figures as charts, and everything it tells."""

from collections.abc import Iterable
from typing import ClassVar

from textual import getters, on, work
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from common.api import TranscriptionStatus
from common.events import Event, Transcription
from common.problems import ClientError
from common.sinks import SinkStatus
from tui.screens.place import PlaceScreen
from tui.screens.raw import RawScreen
from tui.state import State
from tui.widgets.chart import Chart
from tui.widgets.eventlog import EventLog
from tui.widgets.sinks import SinksLine

PERIOD = 2.0
"""Seconds between two looks at the figures, while something listens and they are seen."""


def slowest(status: TranscriptionStatus) -> float | None:
    """Return the real-time factor of the session that keeps up least; None before any final."""
    known = [one.real_time_factor for one in status.sessions if one.real_time_factor is not None]
    return max(known, default=None)


class DiagnosticsScreen(PlaceScreen):
    """Charts on top, the log beneath them."""

    CSS_PATH = "diagnostics.tcss"
    AUTO_FOCUS = "EventLog"
    SIGNS = (
        ("latency", "seconds from the end of speech to its final, a column a final"),
        ("factor", "seconds the engine takes for a second of speech; from 1 on it falls behind"),
        ("queue", "requests that wait for the engine"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "d",
            "app.show_doctor",
            "Doctor",
            id="server.doctor",
            tooltip="Show what the server lacks on its machine",
        ),
        Binding(
            "slash",
            "filter",
            "Filter",
            id="log.filter",
            key_display="/",
            tooltip="Show only events with these words; -word leaves out, level shows levels",
        ),
        Binding(
            "p,space",
            "pause",
            "Pause",
            id="log.pause",
            key_display="p",
            tooltip="Hold the log still; what comes meanwhile waits",
        ),
        Binding(
            "escape",
            "unfilter",
            "All",
            id="log.all",
            show=False,
            tooltip="Go back to the log; a second time shows all events again",
        ),
    ]

    class Looked(Message):
        """The server told how it does."""

        def __init__(self, status: TranscriptionStatus, sinks: list[SinkStatus]) -> None:
            self.status = status
            self.sinks = sinks
            super().__init__()

    log_of_events = getters.query_one(EventLog)
    words = getters.query_one(Input)

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=name)
        self._latency = Chart("Latency", "s", least=1, warn=2)
        self._factor = Chart("Real-time factor", "", least=1, warn=1)
        self._queue = Chart("Queue", "", least=5, warn=5)

    def contents(self) -> Iterable[Widget]:
        yield Horizontal(self._latency, self._factor, self._queue)
        yield SinksLine()
        yield Input(placeholder="words to look for; -word leaves out", compact=True)
        log = EventLog()
        log.border_title = "Events"
        yield log

    def on_mount(self) -> None:
        self._clock = self.set_interval(PERIOD, self.look, pause=True)

    def on_screen_resume(self) -> None:
        self.look()

    def on_screen_suspend(self) -> None:
        self._clock.pause()

    def watch_state(self, before: State, state: State) -> None:
        if not self.is_mounted:
            return
        if state.url != before.url:
            for chart in (self._latency, self._factor, self._queue):
                chart.forget()
        if self.is_current and (state.connected, state.running) != (
            before.connected,
            before.running,
        ):
            self.look()

    def hear(self, event: Event) -> None:
        self.log_of_events.add(event)
        if isinstance(event, Transcription) and event.is_final and event.latency is not None:
            self._latency.take(event.latency)

    @work(group="look", exclusive=True)
    async def look(self) -> None:
        """Ask how the server does."""
        try:
            client = self.app.client
            self.post_message(self.Looked(await client.figures(), await client.sinks()))
        except ClientError:
            self._clock.pause()  # The line on top says how the connection is.

    @on(Looked)
    def _on_looked(self, message: Looked) -> None:
        status = message.status
        self.query_one(SinksLine).show(message.sinks)
        self._factor.take(slowest(status))
        self._queue.take(status.queue_depth)
        if status.sessions and self.is_current:
            self._clock.resume()
        else:
            self._clock.pause()

    def action_filter(self) -> None:
        self.words.display = True
        self.set_focus(self.words)

    def action_unfilter(self) -> None:
        if not self.words.has_focus:
            self.words.value = ""
        self.words.display = bool(self.words.value)
        self.set_focus(self.log_of_events)

    def action_pause(self) -> None:
        log = self.log_of_events
        log.paused = not log.paused

    def on_input_changed(self, message: Input.Changed) -> None:
        self.log_of_events.filter(message.value)

    def on_input_submitted(self) -> None:
        self.words.display = bool(self.words.value)
        self.set_focus(self.log_of_events)

    @on(EventLog.Opened)
    def _open(self, message: EventLog.Opened) -> None:
        self.app.push_screen(RawScreen(message.event))
