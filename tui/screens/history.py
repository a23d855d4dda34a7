"""What was said before, on this server: searched, written to files, deleted."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import ClassVar

from textual import getters, work
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from common.events import Event, Transcription
from common.history import HistoryPage, Utterance
from common.problems import ClientError
from tui.messages import RequestFailed
from tui.screens.confirm import Confirm
from tui.screens.export import ExportScreen
from tui.screens.pick import Pick, offered
from tui.screens.place import PlaceScreen
from tui.state import State, speaker
from tui.text import MUTED, one_line
from tui.widgets.listing import Listing
from tui.wrapping import wrap

PAGE = 100
"""Utterances asked for at a time."""
MOST = 1000
"""Utterances asked for at a time where all of them are wanted."""
FIRST = 1
"""The row of the newest utterance, beneath its heading."""
PAUSE = 0.25
"""Seconds without a key after which a search is sent."""


CLOCK = "%H:%M:%S  "
HANGING = 10
"""Cells before the words, where the time stands."""


def row(said: Utterance, width: int) -> Content:
    """Return an utterance as a row of so many cells: when, and what."""
    text = one_line(said.text)
    lines = [text[start:end] for start, end in wrap(text, width - HANGING - 3)]
    return Content.assemble(
        (f"{datetime.fromtimestamp(said.timestamp):{CLOCK}}", MUTED),
        ("\n" + " " * HANGING).join(lines),
        ("  ♪" if said.audio else "", MUTED),
    )


def source_of(said: Utterance) -> str:
    """Return where an utterance came from: the microphone, a file's name, or who sent it."""
    return speaker(said.session_id, said.source) or f"session {said.session_id or 'unknown'}"


def heading(said: Utterance) -> str:
    """Return what stands above the utterances of one session and day."""
    at = datetime.fromtimestamp(said.timestamp)
    day = f"{at:%A}, {at.day} {at:%B %Y}"
    parts = (day, source_of(said), said.profile or "")
    return " · ".join(one_line(part) for part in parts if part)


class PageArrived(Message):
    """The server answered a search, or a call for more of it."""

    def __init__(self, page: HistoryPage, query: str, before: int | None) -> None:
        self.page = page
        self.query = query
        self.before = before
        super().__init__()


class Forgotten(Message):
    """The server deleted something."""

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__()


class Gathered(Message):
    """Everything that fits is here, oldest first."""

    def __init__(self, found: list[Utterance]) -> None:
        self.found = found
        super().__init__()


class Failed(Message):
    """The server refused, or wasn't there."""

    def __init__(self, doing: str, error: ClientError) -> None:
        self.doing = doing
        self.error = error
        super().__init__()


class HistoryScreen(PlaceScreen):
    """The newest first; more comes as one goes down."""

    AUTO_FOCUS = "OptionList"
    CSS_PATH = "history.tcss"
    SIGNS = (("♪", "its sound is kept on the server"),)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "slash",
            "search",
            "Search",
            id="history.search",
            key_display="/",
            tooltip="Look for words by their beginnings; several in quotes in that order",
        ),
        Binding(
            "escape",
            "leave_search",
            "List",
            id="history.list",
            show=False,
            tooltip="Go back from the search to the list",
        ),
        Binding("c", "copy", "Copy", id="history.copy", tooltip="Copy the utterance"),
        Binding(
            "e",
            "export",
            "Export",
            id="history.export",
            tooltip="Write all that was found to a file, or copy it",
        ),
        Binding(
            "x,delete",
            "delete",
            "Delete",
            id="history.delete",
            key_display="x",
            tooltip="Delete the utterance, its session or everything, after asking",
        ),
    ]

    listed = getters.query_one(OptionList)
    field = getters.query_one(Input)

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name)
        self.found: list[Utterance] = []
        self._rows: list[Utterance | None] = []
        """What stands in each row of the list; None for a heading."""
        self._next: int | None = None
        self._asking = False
        self._stale = True

    def contents(self) -> Iterable[Widget]:
        field = Input(placeholder="Search what was said", select_on_focus=False)
        field.border_title = "History"
        yield field
        yield Listing()
        yield Static(id="told")

    def on_screen_resume(self) -> None:
        if self._stale and self.state.connected:
            self.ask()

    def watch_state(self, before: State, state: State) -> None:
        if self.is_mounted and state.connected and not before.connected:
            self.ask()

    def hear(self, event: Event) -> None:
        if isinstance(event, Transcription) and event.is_final and event.seq is not None:
            self._stale = True
            if (
                self.is_current
                and not self.field.value
                and self.listed.highlighted in (None, FIRST)
            ):
                self.ask()

    def ask(self, before: int | None = None) -> None:
        """Ask for what fits, or for more of it."""
        self._asking = True
        self.search(self.field.value.strip(), before)

    @work(exclusive=True, group="history")
    async def search(self, query: str, before: int | None) -> None:
        """Ask the server for a page."""
        try:
            page = await self.app.client.history.page(query or None, before=before, limit=PAGE)
        except ClientError as error:
            self.post_message(Failed("search", error))
        else:
            self.post_message(PageArrived(page, query, before))

    @work(group="forgetting")
    async def forget(self, what: str, said: Utterance) -> None:
        """Have the server delete an utterance, its session or everything."""
        history = self.app.client.history
        try:
            if what == "all":
                count = await history.delete_all()
            elif what == "session":
                count = await history.delete_session(said.session_id or "")
            else:
                count = await history.delete(said.seq or 0)
        except ClientError as error:
            self.post_message(Failed("delete", error))
        else:
            self.post_message(Forgotten(count))

    @work(exclusive=True, group="export")
    async def gather(self, query: str) -> None:
        """Ask the server for everything that fits, to write it to a file."""
        found = self.app.client.history.search(query or None, order="oldest", limit=MOST)
        try:
            self.post_message(Gathered([said async for said in found]))
        except ClientError as error:
            self.post_message(Failed("export", error))

    def on_page_arrived(self, message: PageArrived) -> None:
        self._asking = False
        if message.query != self.field.value.strip():
            return
        if message.before is None:
            self.found = []
            self._stale = False
            self._clear()
        self.found += message.page.utterances
        self._next = message.page.next
        self._list(message.page.utterances)
        if message.before is None and self.found:
            self.listed.highlighted = FIRST
        self._show_count()

    def on_resize(self) -> None:
        self.call_after_refresh(self._wrap_anew)

    def _wrap_anew(self) -> None:
        if not self.children:
            return  # The app ends.
        marked = self.listed.highlighted
        self._clear()
        self._list(self.found)
        self.listed.highlighted = marked

    def _clear(self) -> None:
        self._rows.clear()
        self.listed.clear_options()

    def _list(self, utterances: Iterable[Utterance]) -> None:
        """Put utterances at the end of the list, each session and day under its heading."""
        options = []
        width = self.listed.scrollable_content_region.width
        above = heading(last) if (last := self._rows[-1] if self._rows else None) else ""
        for said in utterances:
            if (title := heading(said)) != above:
                options.append(Option(Content.styled(title, "bold"), disabled=True))
                self._rows.append(None)
                above = title
            options.append(Option(row(said, width)))
            self._rows.append(said)
        self.listed.add_options(options)

    def on_forgotten(self, message: Forgotten) -> None:
        what = "utterance" if message.count == 1 else "utterances"
        self.app.tell(f"{message.count} {what}", "Deleted", "information")
        self.ask()

    def on_failed(self, message: Failed) -> None:
        self._asking = False
        self.app.post_message(RequestFailed(message.doing, message.error))

    def on_input_changed(self) -> None:
        self.set_timer(PAUSE, self._search_if_still(self.field.value))

    def _search_if_still(self, value: str) -> Callable[[], None]:
        return lambda: self.ask() if self.field.value == value else None

    def on_input_submitted(self) -> None:
        self.ask()
        self.set_focus(self.listed)

    def on_option_list_option_highlighted(self, message: OptionList.OptionHighlighted) -> None:
        if (
            self._next is not None
            and not self._asking
            and message.option_index >= len(self._rows) - PAGE // 4
        ):
            self.ask(self._next)

    def action_search(self) -> None:
        self.set_focus(self.field)

    def action_leave_search(self) -> None:
        self.set_focus(self.listed)

    def action_copy(self) -> None:
        if said := self._chosen():
            self.app.copy_to_clipboard(said.text)
            self.notify("Copied.", timeout=2)

    def action_export(self) -> None:
        if self.found:
            self.gather(self.field.value.strip())
        else:
            self.notify("There is nothing to export.", severity="warning")

    def on_gathered(self, message: Gathered) -> None:
        self.app.push_screen(ExportScreen({"what was found": message.found}), self._exported)

    def _exported(self, done: str | None) -> None:
        if done:
            self.app.tell(done, "Export", "information")

    def action_delete(self) -> None:
        if not (said := self._chosen()):
            return
        choices = [
            (offered("This utterance", said.text), "utterance"),
            (offered("Everything said in its session", heading(said)), "session"),
            (offered("All of history", "everything that was ever said"), "all"),
        ]

        def agreed(sure: bool | None) -> None:
            if sure:
                self.forget("all", said)

        def chosen(what: str | None) -> None:
            if what == "all":
                question = Confirm("Delete everything that was ever said?", "Delete for good")
                self.app.push_screen(question, agreed)
            elif what:
                self.forget(what, said)

        self.app.push_screen(Pick("Delete for good", choices), chosen)

    def _chosen(self) -> Utterance | None:
        index = self.listed.highlighted
        said = self._rows[index] if index is not None and index < len(self._rows) else None
        if said is None:
            self.notify("Nothing is chosen.", severity="warning")
        return said

    def _show_count(self) -> None:
        told = self.query_one("#told", Static)
        if not self.found:
            searched = bool(self.field.value.strip())
            told.update("Nothing like that was said." if searched else "Nothing was said yet.")
            return
        more = " and more" if self._next is not None else ""
        noun = "utterance" if len(self.found) == 1 else "utterances"
        told.update(f"{len(self.found)} {noun}{more}")
