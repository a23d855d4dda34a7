"""The servers that are known and those of the network: going to one, remembering and forgetting."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

from textual import getters, on, work
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from common.nearby import Lookout, Nearby
from tui import servers
from tui.screens.ask import AskText
from tui.screens.confirm import Confirm
from tui.screens.place import PlaceScreen
from tui.servers import Known, NoServers
from tui.state import State
from tui.text import FAINT, MUTED, one_line
from tui.widgets.hanging import Hanging
from tui.widgets.listing import Listing


@dataclass(frozen=True)
class Entry:
    """A server of the list: remembered, nearby, or both; or only the one that is followed."""

    url: str
    known: Known | None = None
    near: Nearby | None = None

    @property
    def name(self) -> str:
        if self.known:
            return self.known.name
        return self.near.name if self.near else self.url


def entries(known: Iterable[Known], near: Iterable[Nearby], visited: Iterable[str]) -> list[Entry]:
    """Return the list: what is remembered, what was visited, what is nearby; each address once."""
    nearby = {one.url: one for one in near}
    names = {one.url: one for one in known}
    urls = dict.fromkeys([*names, *visited, *nearby])
    return [Entry(url, names.get(url), nearby.get(url)) for url in urls]


def described(entry: Entry, state: State) -> Content:
    """Return an entry's lines: what it is called, where it is, and what is known of it."""
    here = entry.url == state.url
    up = here and state.connected
    notes = []
    if entry.known and entry.known.keeper:
        place = {"keyring": "the keyring"}.get(entry.known.keeper, "a file")
        notes.append(f"token in {place}")
    if entry.near:
        notes.append(f"on this network, version {one_line(entry.near.version) or '?'}")
        if entry.near.wants_token and not (entry.known and entry.known.keeper):
            notes.append("wants a token")
    if not entry.known:
        notes.append("a remembers it")
    sign = ("● ", "$text-success") if up else ("◌ ", "$text-warning") if here else ("  ", "")
    return Content.assemble(
        sign,
        (one_line(entry.name), "bold"),
        (f"  {one_line(entry.url)}" if entry.name != entry.url else "", MUTED),
        ("  you are here" if here else "", "$text-success"),
        (f"\n  {' · '.join(notes)}" if notes else "", FAINT),
    )


def bad_address(text: str) -> str:
    """Return what is wrong with an address; empty if nothing is."""
    try:
        servers.address(text)
    except ValueError as error:
        return str(error)
    return ""


def bad_token(text: str) -> str:
    """Return what is wrong with a token; empty if nothing is."""
    return "" if text.isascii() and text.isprintable() else "a token is printable ASCII"


class ServersScreen(PlaceScreen):
    """Looks around on the network while it is seen, and only then."""

    CSS_PATH = "servers.tcss"
    AUTO_FOCUS = "OptionList"
    SIGNS = (("●", "the server that this console follows"), ("◌", "the same, not connected"))
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "add", "Remember", id="servers.add", tooltip="Remember a server by a name"),
        Binding(
            "t", "token", "Token", id="servers.token", tooltip="Set the token of the marked server"
        ),
        Binding("m", "rename", "Rename", id="servers.rename", tooltip="Call it something else"),
        Binding(
            "x,delete",
            "forget",
            "Forget",
            id="servers.forget",
            key_display="x",
            tooltip="Remember it no more, nor its token; asks first",
        ),
    ]

    class Loaded(Message):
        """The list was read."""

        def __init__(self, known: list[Known], fault: str = "") -> None:
            self.known = known
            self.fault = fault
            super().__init__()

    class Seen(Message):
        """Servers of the network came or went."""

        def __init__(self, near: list[Nearby]) -> None:
            self.near = near
            super().__init__()

    listed = getters.query_one(OptionList)

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=name)
        self._file = servers.path()
        self._known: list[Known] = []
        self._near: list[Nearby] = []
        self._entries: list[Entry] = []
        self._lookout: Lookout | None = None

    def contents(self) -> Iterable[Widget]:
        listed = Listing(markup=False)
        listed.border_title = "Servers"
        listed.border_subtitle = "enter goes there"
        yield listed

    def on_mount(self) -> None:
        self.load()

    def on_screen_resume(self) -> None:
        self.look_around()

    async def on_screen_suspend(self) -> None:
        # A question before this place doesn't put it out of sight.
        if self.app.current_mode != self.name:
            await self._stop_looking()

    async def on_unmount(self) -> None:
        await self._stop_looking()

    def watch_state(self, before: State, state: State) -> None:
        if self.is_mounted and (state.url, state.connected) != (before.url, before.connected):
            self._show()

    @work(group="load", exclusive=True)
    async def load(self) -> None:
        """Read the list."""
        try:
            self.post_message(self.Loaded(await asyncio.to_thread(servers.load, self._file)))
        except NoServers as error:
            self.post_message(self.Loaded([], str(error)))

    @work(group="look", exclusive=True)
    async def look_around(self) -> None:
        """Look for servers of the network."""
        if self._lookout:
            return
        lookout = Lookout(self._notice)
        try:
            await lookout.begin()
        except (OSError, ImportError) as error:
            why = one_line(str(error))
            self.listed.border_subtitle = Content(f"the network can't be looked at: {why}")
            await lookout.end()
        else:
            self._lookout = lookout

    def _notice(self, near: list[Nearby]) -> None:
        self.post_message(self.Seen(near))

    async def _stop_looking(self) -> None:
        lookout, self._lookout = self._lookout, None
        if lookout:
            await lookout.end()

    @on(Loaded)
    def _on_loaded(self, message: Loaded) -> None:
        self._known = message.known
        if message.fault:
            self.listed.border_subtitle = Content(one_line(message.fault))
        self._show()

    @on(Seen)
    def _on_seen(self, message: Seen) -> None:
        self._near = message.near
        self._show()

    def _show(self) -> None:
        marked = self._marked()
        visited = (*self.app.left, self.state.url)
        self._entries = entries(self._known, self._near, visited)
        self.listed.clear_options()
        self.listed.add_options(
            Option(Hanging(described(one, self.state))) for one in self._entries
        )
        urls = [one.url for one in self._entries]
        at = marked.url if marked else self.state.url
        self.listed.highlighted = urls.index(at) if at in urls else 0

    def _marked(self) -> Entry | None:
        place = self.listed.highlighted
        if place is None or place >= len(self._entries):
            return None
        return self._entries[place]

    @on(OptionList.OptionSelected)
    @work(group="go", exclusive=True)
    async def _go(self) -> None:
        """Leave the server and follow the marked one."""
        if not (entry := self._marked()):
            return
        busy = next((place.busy for place in self.app.seen.values() if place.busy), "")
        text = f"{busy} That goes on, but is no longer shown. Go to {entry.name}?"
        if busy and not await self.app.push_screen_wait(Confirm(text, "Another server")):
            return
        token = await asyncio.to_thread(servers.token_of, entry.known) if entry.known else None
        if token is None and entry.url in self.app.left:
            token = self.app.left[entry.url].token
        if token is None and entry.near and entry.near.wants_token:
            token = await self._ask_token(entry, empty=False)
            if token is None:
                return
            await self._remember(entry, token)
        await self.app.switch_server(entry.url, token)

    async def _ask_token(self, entry: Entry, *, empty: bool) -> str | None:
        hint = "It is kept in the system's keyring where there is one, or in a file of yours alone."
        if empty:
            hint += " Nothing means that it wants none."
        title = f"Token of {entry.name}"
        question = AskText(title, hint, fault=bad_token, secret=True, empty=empty)
        return await self.app.push_screen_wait(question)

    @work(group="change", exclusive=True)
    async def action_add(self) -> None:
        marked = self._marked()
        offered = marked if marked and not marked.known else None
        hint = "Where it listens, such as http://studio.local:8000"
        question = AskText(
            "Address", hint, offered.url if offered else "http://", fault=bad_address
        )
        url = await self.app.push_screen_wait(question)
        if not url:
            return
        url = servers.address(url)
        named = offered.name if offered and offered.near else url.partition("//")[2]
        name = await self.app.push_screen_wait(AskText("Name", "How you call it.", named))
        if not name:
            return
        known = next((one for one in self._known if one.url == url), Known(name, url))
        entry = Entry(url, replace(known, name=name))
        token = await self._ask_token(entry, empty=True)
        if token is not None:
            await self._remember(entry, token or None)

    @work(group="change", exclusive=True)
    async def action_token(self) -> None:
        if not (entry := self._marked()):
            return
        token = await self._ask_token(entry, empty=True)
        if token is None:
            return
        await self._remember(entry, token or None)
        if entry.url == self.state.url:
            await self.app.switch_server(entry.url, token or None)

    @work(group="change", exclusive=True)
    async def action_rename(self) -> None:
        entry = self._marked()
        if not entry or not entry.known:
            self.notify("Only what is remembered has a name of yours; a remembers it.")
            return
        name = await self.app.push_screen_wait(AskText("Name", "How you call it.", entry.name))
        if name:
            named = replace(entry.known, name=name)
            await self._write(lambda known: servers.remembered(known, named))

    @work(group="change", exclusive=True)
    async def action_forget(self) -> None:
        entry = self._marked()
        if not entry or not entry.known:
            self.notify("That one isn't remembered.")
            return
        text = f"Remember {entry.name} no more, nor its token?"
        if not await self.app.push_screen_wait(Confirm(text, "Forget")):
            return
        try:
            await asyncio.to_thread(servers.keep, entry.known, None)
        except servers.Held as error:
            self.app.tell(str(error), "Not forgotten", "error")
            return
        await self._write(lambda known: [one for one in known if one.url != entry.url])

    async def _remember(self, entry: Entry, token: str | None) -> None:
        known = entry.known or Known(entry.name, entry.url)
        try:
            kept = await asyncio.to_thread(servers.keep, known, token)
        except servers.Held as error:
            self.app.tell(str(error), "Token not forgotten", "error")
            return
        await self._write(lambda known: servers.remembered(known, kept))

    async def _write(self, change: Callable[[list[Known]], list[Known]]) -> None:
        try:
            self._known = await asyncio.to_thread(servers.change, self._file, change)
        except NoServers as error:
            self.app.tell(str(error), "Not remembered", "error")
        else:
            self._show()
