"""Everything that listens on the server, and what can be listened to: there or here."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual import getters, on, work
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from common.api import SessionFigures, TranscriptionStatus
from common.events import Event, SessionStarted, SessionStopped
from common.problems import ClientError
from tui.feed import Feed
from tui.files import no_file
from tui.messages import RequestFailed
from tui.screens.ask import AskText
from tui.screens.pick import Pick, offered
from tui.screens.place import PlaceScreen
from tui.sounds import Sound, SoundFault, microphone, recording
from tui.state import State, speaker
from tui.text import FAINT, MUTED, one_line
from tui.widgets.hanging import Hanging
from tui.widgets.listing import Listing
from tui.widgets.status import duration

NOTHING = """\
Nothing listens.

s  the server's microphone
d  another of its devices
f  a file of its machine
h  this machine's microphone
l  a file of this machine"""
PERIOD = 1.0
"""Seconds between two looks at the figures, while something listens and they are seen."""


def described(session: SessionFigures, feed: Feed | None, own: bool) -> Content:
    """Return a session's lines: where its sound comes from, and how it does."""
    name = speaker(session.session_id, session.source) or session.session_id
    source = f"{feed.sound.name}, from this console" if feed else name
    profile = f" · {one_line(session.profile)}" if session.profile else ""
    return Content.assemble(
        ("● ", "$text-success"),
        (one_line(source), "bold"),
        (profile, MUTED),
        ("  the server's own" if own else "", FAINT),
        ("" if source == session.session_id else f"  {one_line(session.session_id)}", FAINT),
        *((f"\n  {line}", MUTED) for line in figures(session)),
        (f"\n  {sent(feed)}" if feed else "", MUTED),
    )


def figures(session: SessionFigures) -> Iterator[str]:
    """Yield a session's figures in words: how much it heard, how well it keeps up, what it lost."""
    finals = "1 final" if session.finals == 1 else f"{session.finals} finals"
    heard = f"heard {duration(session.audio_seconds)} · {finals}"
    wait = f" · {session.waiting_seconds:.1f} s wait" if session.waiting_seconds >= 0.1 else ""
    yield heard + wait
    paces = []
    if session.latency_p50 is not None:
        paces.append(f"latency {session.latency_p50:.2f} s, p95 {session.latency_p95 or 0:.2f} s")
    if session.real_time_factor is not None:
        paces.append(f"real-time factor {session.real_time_factor:.2f}")
    if paces:
        yield " · ".join(paces)
    if session.lost_seconds or session.overruns:
        yield f"{session.lost_seconds:.1f} s lost · {session.overruns} overruns"


def sent(feed: Feed) -> str:
    """Return how much of this machine's sound has been sent."""
    length = f" of {duration(feed.sound.seconds)}" if feed.sound.seconds is not None else ""
    lost = f", {feed.sound.lost:.1f} s lost here" if feed.sound.lost else ""
    return f"sent {duration(feed.sent)}{length}{lost}"


class SessionsScreen(PlaceScreen):
    """The sessions; their words stand in the transcript, each under a tab of its own."""

    CSS_PATH = "sessions.tcss"
    AUTO_FOCUS = "OptionList"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "s",
            "app.start_or_stop",
            "Start/stop",
            id="session.toggle",
            tooltip="Start the server's listening, or stop it",
        ),
        Binding(
            "d",
            "choose_device",
            "Device",
            id="sessions.device",
            tooltip="Have the server listen to another of its devices",
        ),
        Binding(
            "f",
            "choose_file",
            "Server's file",
            id="sessions.file",
            tooltip="Have the server listen to a file of its own machine",
        ),
        Binding(
            "h",
            "send_microphone",
            "Mic here",
            id="sessions.microphone_here",
            tooltip="Send the sound of this machine's microphone to the server",
        ),
        Binding(
            "l",
            "send_file",
            "File here",
            id="sessions.file_here",
            tooltip="Send a file of this machine to the server",
        ),
        Binding(
            "x,delete",
            "stop",
            "Stop",
            id="sessions.stop",
            key_display="x",
            tooltip="End the marked session; what it heard is transcribed first",
        ),
        Binding(
            "X",
            "stop_all",
            "Stop all",
            id="sessions.stop_all",
            show=False,
            tooltip="End every session of the server",
        ),
    ]

    class Looked(Message):
        """The server told how its sessions do."""

        def __init__(self, status: TranscriptionStatus) -> None:
            self.status = status
            super().__init__()

    listed = getters.query_one(OptionList)

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=name)
        self._sessions: list[SessionFigures] = []
        self._feeds: list[Feed] = []

    @property
    def busy(self) -> str:
        if not self._feeds:
            return ""
        names = ", ".join(feed.sound.name for feed in self._feeds)
        return f"This console still sends sound to the server: {names}."

    def contents(self) -> Iterable[Widget]:
        listed = Listing(markup=False)
        listed.border_title = "Sessions"
        listed.border_subtitle = "enter shows its words"
        yield listed
        yield Static(id="hint")

    def on_mount(self) -> None:
        self._hint()
        self._clock = self.set_interval(PERIOD, self.look, pause=True)

    def on_screen_resume(self) -> None:
        self.look()

    def on_screen_suspend(self) -> None:
        self._clock.pause()

    def watch_state(self, before: State, state: State) -> None:
        if not self.is_mounted:
            return
        if state.url != before.url:
            self._show([])
        if state.connected != before.connected or state.running != before.running:
            self._hint()
            if self.is_current:
                self.look()

    def hear(self, event: Event) -> None:
        if isinstance(event, SessionStarted | SessionStopped) and self.is_current:
            self.look()
            # The news may be ahead of the list.
            self.set_timer(PERIOD, self.look)

    @work(group="look", exclusive=True)
    async def look(self) -> None:
        """Ask how the sessions do."""
        try:
            self.post_message(self.Looked(await self.app.client.figures()))
        except ClientError:
            self._clock.pause()  # The line on top says how the connection is.

    @on(Looked)
    def _on_looked(self, message: Looked) -> None:
        self._show(message.status.sessions)
        if self._sessions and self.is_current:
            self._clock.resume()
        else:
            self._clock.pause()

    def _show(self, sessions: list[SessionFigures]) -> None:
        marked = self._marked()
        before = [one.session_id for one in self._sessions]
        self._sessions = sessions
        lines = [self._line(one) for one in sessions]
        names = [one.session_id for one in sessions]
        if names == before:
            for place, line in enumerate(lines):
                self.listed.replace_option_prompt_at_index(place, line)
            return
        self.listed.clear_options()
        self.listed.add_options(Option(line) for line in lines)
        if names:
            kept = marked and marked.session_id in names
            self.listed.highlighted = names.index(marked.session_id) if marked and kept else 0
        self._hint()

    def _line(self, session: SessionFigures) -> Hanging:
        feed = next((one for one in self._feeds if one.session_id == session.session_id), None)
        return Hanging(described(session, feed, session.session_id == self.state.session_id))

    def _hint(self) -> None:
        words = "" if self.state.connected else "No connection to the server yet."
        if self.state.connected and not self._sessions:
            words = NOTHING
        hint = self.query_one("#hint", Static)
        hint.update(words)
        hint.display = bool(words)

    def _marked(self) -> SessionFigures | None:
        place = self.listed.highlighted
        if place is None or place >= len(self._sessions):
            return None
        return self._sessions[place]

    @on(OptionList.OptionSelected)
    async def _show_words(self) -> None:
        """Go to the words of the marked session."""
        if marked := self._marked():
            home = self.app.home
            home.sieve = replace(home.sieve, speaker=self.state.speaker(marked.session_id))
            await self.app.action_go(home.name or "")

    @work(group="choose", exclusive=True)
    async def action_choose_device(self) -> None:
        try:
            devices = await self.app.client.devices()
        except ClientError as error:
            self._fail("list of devices", error)
            return
        choices: list[tuple[Content, int]] = []
        for one in devices:
            standard = " · default" if one.default else ""
            more = f"{one.channels} channels, {one.sample_rate} Hz{standard}"
            choices.append((offered(one.name, more), one.id))
        if not choices:
            self.app.tell("the server has no microphone", "No devices", "warning")
            return
        device = await self.app.push_screen_wait(Pick("Listen to", choices))
        if device is not None:
            await self._start({"audio": {"source": "microphone", "device": device}})

    @work(group="choose", exclusive=True)
    async def action_choose_file(self) -> None:
        hint = "A path on the server's machine; it is played at its own pace."
        path = await self.app.push_screen_wait(AskText("Listen to a file there", hint))
        if path:
            await self._start({"audio": {"source": f"file:{path}"}})

    async def _start(self, changes: dict[str, object]) -> None:
        try:
            await self.app.client.start(self.state.wanted, changes, restart=True)
        except ClientError as error:
            self._fail("start", error)

    @work(group="choose", exclusive=True)
    async def action_send_microphone(self) -> None:
        try:
            self._feed(await microphone())
        except SoundFault as fault:
            self.app.tell(str(fault), "No sound here", "error")

    @work(group="choose", exclusive=True)
    async def action_send_file(self) -> None:
        hint = "WAV, FLAC, OGG or MP3 on this machine; sent as fast as the server takes it."
        path = await self.app.push_screen_wait(AskText("Send a file", hint, fault=no_file))
        if not path:
            return
        try:
            self._feed(await recording(Path(path).expanduser()))
        except SoundFault as fault:
            self.app.tell(str(fault), "No sound here", "error")

    @work(group="feed")
    async def _feed(self, sound: Sound) -> None:
        """Send sound until it ends."""
        feed = Feed(self.app.client, sound, self.state.wanted)
        self._feeds.append(feed)
        try:
            await feed.run()
        except ClientError as error:
            self._fail(f"sending {sound.name}", error)
        finally:
            self._feeds.remove(feed)

    @work(group="stop")
    async def action_stop(self) -> None:
        if not (marked := self._marked()):
            self.notify("Nothing listens.", severity="warning")
            return
        feed = next((one for one in self._feeds if one.session_id == marked.session_id), None)
        if feed:
            feed.stop()
            return
        try:
            await self.app.client.close_session(marked.session_id)
        except ClientError as error:
            self._fail("stop", error)
        self.look()

    @work(group="stop")
    async def action_stop_all(self) -> None:
        try:
            await self.app.client.stop()
        except ClientError as error:
            self._fail("stop", error)

    def _fail(self, doing: str, error: ClientError) -> None:
        self.app.post_message(RequestFailed(doing, error))
