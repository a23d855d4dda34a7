"""The home screen: what is said, how it sounds, and how the server is doing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from textual import getters
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.reactive import reactive
from textual.widget import Widget

from tui.screens.place import PlaceScreen
from tui.sieve import Sieve
from tui.state import State, recovery
from tui.widgets.entries import Entries, Entry
from tui.widgets.find import FindLine
from tui.widgets.meter import Meter
from tui.widgets.pen import MARKS, PICKED, UNFINISHED, UNMEASURED
from tui.widgets.picking import Picked
from tui.widgets.status import Status
from tui.widgets.tabs import SpeakerTabs
from tui.widgets.transcript import Transcript

if TYPE_CHECKING:
    from common.events import Event, Level, Welcome
    from common.export import Final

Keys = tuple[tuple[str, str], ...]


def hint(state: State, sieve: Sieve) -> tuple[str, Keys]:
    """Return what to say where nothing is shown: how things are, and what to press."""
    if state.refusal:
        return (
            f"{state.url} does not let this console in:\n{state.refusal}.\n\n"
            "If it wants a token: start with --token TOKEN, set STT_CONSOLE_TOKEN,\n"
            "or give it here, once.\n",
            (("6 t", "give its token"), ("r", "try again"), ("q", "quit")),
        )
    if not state.connected:
        return (
            f"No connection to {state.url} yet.\n\n"
            "Is the server running there? Start it: stt-server\n",
            (("r", "try now"), ("6", "go to another server"), ("q", "quit")),
        )
    if not sieve.lets_all_through:
        return "Nothing was said that the filter lets through.\n", (("f", "change the filter"),)
    if state.running:
        return "Listening. Say something.", ()
    return (
        "Nothing has been said yet.\n",
        (("s", "start listening"), ("p", "choose a profile"), ("?", "see all the keys")),
    )


class ListenScreen(PlaceScreen):
    """Shows facts as they arrive; orders go to the app."""

    AUTO_FOCUS = "Transcript"
    CSS_PATH = "listen.tcss"
    ABOUT = (
        "What the server hears, as it is said. Words that may still change are dim; the page "
        "follows what is said until you scroll back or pick something."
    )
    SIGNS = (
        *((sign, f"a final; the engine was {meaning}") for _, sign, _, meaning in MARKS),
        (UNMEASURED, "a final from an engine that doesn't measure how sure it is"),
        (UNFINISHED, "a partial: dim words may change, brighter ones won't"),
        (PICKED, "picked with the keys, to be copied or exported"),
        ("━ ┃ ┊", "loudness in dBFS, 0 the loudest; the last peak; the room's own noise"),
        ("⣀⣴⣿", "the loudness of the last ten seconds, bright where somebody spoke"),
        ("━ │", "how likely the sound is speech, 0 to 1, and from where speech begins"),
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
            "slash",
            "find",
            "Find",
            id="transcript.find",
            key_display="/",
            tooltip="Find words in the transcript",
        ),
        Binding(
            "n",
            "find_next(1)",
            "Next",
            id="transcript.next",
            show=False,
            tooltip="Go to the next place of the words that were found",
        ),
        Binding(
            "N",
            "find_next(-1)",
            "Previous",
            id="transcript.previous",
            show=False,
            tooltip="Go to the previous place of the words that were found",
        ),
        Binding(
            "f",
            "filter",
            "Filter",
            id="transcript.filter",
            show=False,
            tooltip="Show only what is sure, or doubtful, or of one session",
        ),
        Binding(
            "right_square_bracket,right",
            "tab(1)",
            "Next session",
            id="transcript.next_tab",
            show=False,
            key_display="]",
            tooltip="Show the next session alone, where there is more than one",
        ),
        Binding(
            "left_square_bracket,left",
            "tab(-1)",
            "Previous session",
            id="transcript.previous_tab",
            show=False,
            key_display="[",
            tooltip="Show the previous session alone",
        ),
        Binding(
            "c",
            "copy",
            "Copy",
            id="transcript.copy",
            tooltip="Copy what is selected or picked, or else the last utterance",
        ),
        Binding(
            "C",
            "copy_all",
            "Copy all",
            id="transcript.copy_all",
            show=False,
            tooltip="Copy everything that is shown",
        ),
        Binding(
            "e",
            "export",
            "Export",
            id="transcript.export",
            tooltip="Write the transcript to a file, or copy it in a format of your choice",
        ),
        Binding(
            "escape",
            "let_go",
            "Let go",
            id="transcript.let_go",
            show=False,
            tooltip="Let go of what is picked; then of what was found",
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

    sieve: reactive[Sieve] = reactive(Sieve, init=False)
    transcript = getters.query_one(Transcript)
    meter = getters.query_one(Meter)
    tabs = getters.query_one(SpeakerTabs)
    find_line = getters.query_one(FindLine)

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=name)
        self._heard: dict[str | None, None] = {}
        """The sessions that something was heard of, in order."""
        self._pages: dict[str, tuple[Entries, dict[str | None, None]]] = {}
        """The words of other servers, and their sessions, by address."""
        self._welcomed: Welcome | None = None
        """The last word of this server's on a connection."""

    def contents(self) -> Iterable[Widget]:
        transcript = Transcript()
        transcript.border_title = "Transcript"
        transcript.speaker = self._speaker
        yield SpeakerTabs()
        yield transcript
        yield FindLine()
        yield Container(Meter(), Status().data_bind(PlaceScreen.state), id="below")

    def on_mount(self) -> None:
        self.find_line.display = False
        self._give_hint()

    def watch_state(self, before: State, state: State) -> None:
        if not self.is_mounted:
            return
        if state.url != before.url:
            self._turn_page(before.url, state.url)
        self._give_hint()
        if not self._hears:
            self.meter.level = None
        if news := recovery(before.audio, state.audio):
            self.transcript.remark(news)
        if state.refusal and state.refusal != before.refusal and len(self.transcript.entries):
            self.transcript.remark(f"refused: {state.refusal}", fault=True)
        if state.sources != before.sources:
            self._name_speakers()

    def _turn_page(self, left: str, url: str) -> None:
        """Keep the words of the server that was left; show those of the other, if it has any."""
        self._pages[left], self._welcomed = (self.transcript.entries, self._heard), None
        entries, self._heard = self._pages.pop(url, (Entries(), {}))
        self.transcript.turn_to(entries)
        self._name_speakers()

    def watch_sieve(self, sieve: Sieve) -> None:
        self.tabs.chosen = sieve.speaker
        self.transcript.sift(self._shows)
        self._give_hint()
        self._describe()

    def take(self, events: Iterable[Event]) -> None:
        known = len(self._heard)
        with self.transcript.growing():
            for event in events:
                self.hear(event)
        if len(self._heard) != known:
            self._name_speakers()

    def hear(self, event: Event) -> None:
        from common.events import Level, Transcription, Welcome
        from tui.telling import remark_of

        match event:
            case Level():
                self._measure(event)
            case Transcription(session_id=session):
                self._heard.setdefault(session)
                self.transcript.hear(event)
            case Welcome():
                self._welcome(event)
            case _:
                if remark := remark_of(event):
                    self.transcript.remark(*remark, at=event.timestamp)

    def on_transcript_changed(self) -> None:
        self._describe()

    def on_find_line_typed(self, message: FindLine.Typed) -> None:
        self.transcript.look_for(message.text)

    def on_find_line_stepped(self, message: FindLine.Stepped) -> None:
        self.transcript.find(1 if message.step > 0 else -1)

    def on_find_line_closed(self, message: FindLine.Closed) -> None:
        if not message.kept:
            self.transcript.look_for("")
        if not self.find_line.display:
            self.set_focus(self.transcript)
        self._describe()

    def on_speaker_tabs_chosen(self, message: SpeakerTabs.Chosen) -> None:
        self.sieve = replace(self.sieve, speaker=message.speaker)

    def action_find(self) -> None:
        self.find_line.open()
        self._describe()

    def action_find_next(self, step: Literal[-1, 1]) -> None:
        if self.transcript.search.text:
            self.transcript.find(step)
        else:
            self.action_find()

    def action_tab(self, step: int) -> None:
        if self.tabs.display:
            self.tabs.step(step)

    def action_filter(self) -> None:
        from tui.screens.filter import FilterScreen

        def wanted(sieve: Sieve | None) -> None:
            if sieve is not None:
                self.sieve = sieve

        self.app.push_screen(FilterScreen(self.sieve, self.tabs.speakers), wanted)

    def action_let_go(self) -> None:
        if self.get_selected_text():
            self.clear_selection()
        elif self.transcript.picked.cursor is not None:
            self.transcript.picked = Picked()
        elif self.transcript.search.text:
            self.transcript.look_for("")

    def action_copy(self) -> None:
        picked = "\n".join(entry.text for entry in self.transcript.picked_entries())
        self._copy(self.get_selected_text() or picked or self.transcript.entries.last_said())

    def action_copy_all(self) -> None:
        finals = self.transcript.entries.finals(shown=True)
        self._copy("\n".join(final.text for final in finals))

    def action_export(self) -> None:
        from tui.screens.export import ExportScreen

        entries = self.transcript.entries
        everything = entries.finals()
        parts: dict[str, list[Entry]] = {
            "what is picked": [one for one in self.transcript.picked_entries() if one.is_final],
            "what is shown": [] if self.sieve.lets_all_through else entries.finals(shown=True),
            "everything": everything,
        }
        if not everything:
            self.notify("There is nothing to export yet.", severity="warning")
            return
        named: dict[str, list[Final]] = {name: [*part] for name, part in parts.items() if part}
        self.app.push_screen(ExportScreen(named), self._exported)

    def _exported(self, done: str | None) -> None:
        if done:
            self.notify(done, markup=False)

    def _copy(self, text: str) -> None:
        if not text:
            self.notify("There is nothing to copy yet.", severity="warning")
            return
        self.app.copy_to_clipboard(text)
        words = len(text.split())
        self.notify(f"Copied {words} {'word' if words == 1 else 'words'}.", timeout=2)

    @property
    def _hears(self) -> bool:
        gone = self.state.audio is not None and self.state.audio.gone
        return self.state.connected and self.state.running and not gone

    def _measure(self, level: Level) -> None:
        # Sessions that clients feed have levels, too; the meter is the server's own ear.
        if self._hears and level.session_id in (None, self.state.session_id):
            self.meter.level = level

    def _welcome(self, welcome: Welcome) -> None:
        from tui.telling import remarks_on

        for remark in remarks_on(welcome, self._welcomed):
            self.transcript.remark(*remark, at=welcome.timestamp)
        self._welcomed = welcome
        for said in welcome.recent:
            self._heard.setdefault(said.session_id)
            self.transcript.hear(said)

    def _speaker(self, session_id: str | None) -> str:
        return self.state.speaker(session_id)

    def _shows(self, entry: Entry) -> bool:
        return self.sieve.shows(entry, self._speaker)

    def _name_speakers(self) -> None:
        names = tuple(dict.fromkeys(self._speaker(session) for session in self._heard))
        self.tabs.speakers = names
        self.transcript.name_speakers(list(names))
        if self.sieve.speaker is not None:
            kept = self.sieve.speaker if self.sieve.speaker in names else None
            self.sieve = replace(self.sieve, speaker=kept)
            self.transcript.sift(self._shows)

    def _give_hint(self) -> None:
        self.transcript.hint, self.transcript.keys = hint(self.state, self.sieve)

    def _describe(self) -> None:
        """Say on the border what is picked, found, left out and not yet seen."""
        show = self.transcript
        picked = len(show.picked_entries())
        looking = show.search.text and not self.find_line.display
        parts = [
            f"{picked} picked" if show.picked.anchor is not None else "",
            f"“{show.search.text}” {show.search}" if looking else "",
            self.sieve.words,
            f"{show.unseen} new" if show.unseen else "",
            "" if show.following else "end to follow",
        ]
        show.border_subtitle = " · ".join(part for part in parts if part)
        self.find_line.count.update(str(show.search))
