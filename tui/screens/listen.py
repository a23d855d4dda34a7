"""The home screen: what is said, how it sounds, and how the server is doing."""

from collections.abc import Iterable
from typing import ClassVar

from textual import getters
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widget import Widget

from common.events import (
    Error,
    Event,
    Level,
    SessionStarted,
    SessionStopped,
    Transcription,
    WakeWord,
    WakeWordTimeout,
    Welcome,
)
from tui.screens.place import PlaceScreen
from tui.state import State, recovery, source_name
from tui.widgets.meter import Meter
from tui.widgets.status import Status
from tui.widgets.transcript import MARKS, UNFINISHED, UNMEASURED, Transcript

GAP = "— some of what was said is missing here —"


def hint(state: State) -> str:
    """Return what to say while nothing has been said: how things are and what to press."""
    if state.refusal:
        return (
            f"{state.url} does not let this console in: {state.refusal}.\n\n"
            "If it wants a token: quit with q and start again with --token TOKEN,\n"
            "or set STT_CONSOLE_TOKEN. Press r to try again."
        )
    if not state.connected:
        return (
            f"No connection to {state.url} yet.\n\n"
            "Is the server running there? Start it: stt-server"
        )
    if state.running:
        return "Listening. Say something."
    return "Nothing has been said yet.\n\nPress s to start listening, p to choose a profile."


class ListenScreen(PlaceScreen):
    """Shows facts as they arrive; orders go to the app."""

    AUTO_FOCUS = "Transcript"
    CSS_PATH = "listen.tcss"
    SIGNS = (
        *((sign, f"a final; the engine was {meaning}") for _, sign, _, meaning in MARKS),
        (UNMEASURED, "a final from an engine that doesn't measure how sure it is"),
        (UNFINISHED, "a partial: dim words may change, brighter ones won't"),
        ("━┃", "loudness in dBFS, 0 the loudest, and the last peak"),
        ("speech", "how likely the sound is speech, 0 to 1"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "s",
            "app.start_or_stop",
            "Start/stop",
            id="session.toggle",
            tooltip="Start the server's listening, or stop it",
        ),
        Binding(
            "p",
            "app.choose_profile",
            "Profile",
            id="session.profile",
            tooltip="Choose how the server listens",
        ),
        Binding(
            "c",
            "copy",
            "Copy",
            id="transcript.copy",
            tooltip="Copy the selected words, or else the last utterance",
        ),
        Binding(
            "C",
            "copy_all",
            "Copy all",
            id="transcript.copy_all",
            show=False,
            tooltip="Copy everything that was said",
        ),
        Binding(
            "d",
            "app.show_doctor",
            "Doctor",
            id="server.doctor",
            show=False,
            tooltip="Show what the server lacks on its machine",
        ),
    ]

    transcript = getters.query_one(Transcript)
    meter = getters.query_one(Meter)

    def contents(self) -> Iterable[Widget]:
        transcript = Transcript()
        transcript.border_title = "Transcript"
        yield transcript
        yield Container(Meter(), Status().data_bind(PlaceScreen.state), id="below")

    def watch_state(self, before: State, state: State) -> None:
        if self.is_mounted:
            self.transcript.hint = hint(state)
            gone = state.audio is not None and state.audio.gone
            if gone or not (state.connected and state.running):
                self.meter.level = None
            if news := recovery(before.audio, state.audio):
                self.transcript.remark(news)
            if state.refusal and state.refusal != before.refusal and len(self.transcript.entries):
                self.transcript.remark(f"refused: {state.refusal}", fault=True)

    def on_mount(self) -> None:
        self.transcript.hint = hint(self.state)

    def hear(self, event: Event) -> None:
        show = self.transcript
        match event:
            case Level():
                self._measure(event)
            case Transcription() as said:
                show.hear(said)
            case Welcome() as welcome:
                self._welcome(welcome)
            case SessionStarted(source=source, profile=profile, timestamp=at):
                how = f" with {profile}" if profile else ""
                show.remark(f"listening to {source_name(source)}{how}", at=at)
            case SessionStopped(reason=reason, timestamp=at):
                show.remark(f"listening {reason}", at=at)
            case WakeWord(wake_word=word, confidence=confidence, timestamp=at):
                sure = "" if confidence is None else f" ({confidence:.2f})"
                show.remark(f"wake word “{word}”{sure}", at=at)
            case WakeWordTimeout(timestamp=at):
                show.remark("nobody spoke after the wake word", at=at)
            case Error(error=error, details=details, timestamp=at):
                show.remark(f"{error}: {details}", fault=True, at=at)

    def action_copy(self) -> None:
        self._copy(self.get_selected_text() or self.transcript.entries.last_said())

    def action_copy_all(self) -> None:
        self._copy("\n".join(self.transcript.entries.said()))

    def _copy(self, text: str) -> None:
        if not text:
            self.notify("There is nothing to copy yet.", severity="warning")
            return
        self.app.copy_to_clipboard(text)
        words = len(text.split())
        self.notify(f"Copied {words} {'word' if words == 1 else 'words'}.", timeout=2)

    def _measure(self, level: Level) -> None:
        # Sessions that clients feed have levels, too; the meter is the server's own ear.
        if self.state.running and level.session_id in (None, self.state.session_id):
            self.meter.level = level

    def _welcome(self, welcome: Welcome) -> None:
        if welcome.gap:
            self.transcript.remark(GAP, fault=True, at=welcome.timestamp)
        for said in welcome.recent:
            self.transcript.hear(said)
