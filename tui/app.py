"""The console: it listens to one server and passes on what you ask of it."""

import asyncio
from dataclasses import replace
from functools import partial
from typing import ClassVar

from textual import work
from textual.app import App, get_system_commands_provider
from textual.binding import Binding, BindingType
from textual.notifications import SeverityLevel
from textual.reactive import reactive

from common.api import DoctorReport
from common.client import Client
from common.events import Error, Event, Level, Welcome
from common.problems import ClientError, Refused, Unauthorized
from common.stream import EventStream, Link
from tui import servers
from tui.commands import Commands, explained
from tui.messages import (
    EventArrived,
    LevelArrived,
    LinkChanged,
    ProfilesArrived,
    Rejected,
    ReportArrived,
    RequestDone,
    RequestFailed,
    StatusArrived,
)
from tui.places import PLACES, Place
from tui.screens.ask import Confirm
from tui.screens.choose import ChooseProfile
from tui.screens.doctor import DoctorScreen
from tui.screens.help import HelpScreen
from tui.screens.listen import ListenScreen
from tui.screens.place import PlaceScreen
from tui.state import State, after, known, linked


class Console(App[None]):
    """Workers talk to the server and post facts; handlers fold them into `state`."""

    TITLE = "Speech to text"
    CSS_PATH = "app.tcss"
    COMMANDS = {get_system_commands_provider, Commands}
    DEFAULT_MODE = PLACES[0].name
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            place.key,
            f"go('{place.name}')",
            place.title,
            id=place.id,
            show=False,
            tooltip=place.tooltip,
        )
        for place in PLACES
    ]

    state: reactive[State] = reactive(State)

    def __init__(self, url: str = "http://127.0.0.1:8000", token: str | None = None) -> None:
        super().__init__()
        self.set_reactive(Console.state, State(url=url))
        self.seen: dict[str, PlaceScreen] = {}
        """The places that have been shown, by name."""
        self._token = token
        self._client: Client | None = None
        self._stream: EventStream | None = None
        self._left: dict[str, int] = {}
        """The last event of each server that was left: what is missed comes on the return."""
        for place in PLACES:
            self.add_mode(place.name, partial(self._open, place))

    def _open(self, place: Place) -> PlaceScreen:
        screen = self.seen[place.name] = place.make()
        screen.set_reactive(PlaceScreen.state, self.state)
        return screen

    @property
    def home(self) -> ListenScreen:
        """Return the place where one begins."""
        home = self.seen[self.DEFAULT_MODE]
        assert isinstance(home, ListenScreen)
        return home

    def on_mount(self) -> None:
        # After the first paint: the network may take its time.
        self.call_after_refresh(self.follow)

    async def on_unmount(self) -> None:
        if self._client:
            await self._client.aclose()

    def watch_state(self, state: State) -> None:
        # While the app ends, news may still arrive when the widgets have gone.
        if self.is_running:
            for place in self.seen.values():
                place.state = state

    async def action_go(self, place: str) -> None:
        """Go to a place."""
        await self.switch_mode(place)

    async def switch_server(self, url: str, token: str | None) -> None:
        """Leave the server and follow another one."""
        self.workers.cancel_node(self)
        if self._stream and self._stream.seq is not None:
            self._left[self.state.url] = self._stream.seq
        if self._client:
            await self._client.aclose()
        self._client = self._stream = None
        self._token = token
        self.state = State(url=url)
        self.follow()

    @property
    def client(self) -> Client:
        """The connection to the server, made when first needed: TLS takes a moment to set up."""
        if self._client is None:
            self._client = Client(self.state.url, self._token)
        return self._client

    @work(exclusive=True, group="events")
    async def follow(self) -> None:
        """Pass on the server's events until the app ends or the server refuses us."""
        if self._token is None and self._client is None:
            self._token = await asyncio.to_thread(servers.token_for, servers.path(), self.state.url)
        since = self._stream.seq if self._stream else self._left.get(self.state.url)
        self._stream = self.client.events(since=since)
        self._stream.on_link = self._pass_on
        try:
            async for event in self._stream:
                if isinstance(event, Level):
                    self.post_message(LevelArrived(event))
                else:
                    self.post_message(EventArrived(event))
        except Refused as error:
            self.post_message(Rejected(error))

    def _pass_on(self, link: Link) -> None:
        self.post_message(LinkChanged(link))

    @work(exclusive=True, group="status")
    async def ask_status(self) -> None:
        """Ask the server for its whole state."""
        try:
            self.post_message(StatusArrived(await self.client.status()))
        except ClientError as error:
            self.post_message(RequestFailed("status", error))

    @work(exclusive=True, group="profiles")
    async def ask_profiles(self) -> None:
        """Ask the server which profiles it has."""
        try:
            self.post_message(ProfilesArrived(await self.client.profiles()))
        except ClientError as error:
            self.post_message(RequestFailed("list of profiles", error))

    @work(exclusive=True, group="doctor")
    async def ask_doctor(self) -> None:
        """Have the server look at its own machine."""
        report: DoctorReport | ClientError
        try:
            report = await self.client.doctor()
        except ClientError as error:
            report = error
        self.post_message(ReportArrived(report))

    @work(group="session")
    async def start(self, *, restart: bool = False) -> None:
        """Have the server listen, with the chosen profile."""
        try:
            await self.client.start(self.state.wanted, restart=restart)
        except ClientError as error:
            self.post_message(RequestFailed("start", error))
        else:
            self.post_message(RequestDone())

    @work(group="session")
    async def stop(self) -> None:
        """Have the server stop listening; what was said is delivered first."""
        try:
            await self.client.stop()
        except ClientError as error:
            self.post_message(RequestFailed("stop", error))
        else:
            self.post_message(RequestDone())

    def on_link_changed(self, message: LinkChanged) -> None:
        self.state = linked(self.state, message.link)

    def on_rejected(self, message: Rejected) -> None:
        wrong = isinstance(message.error, Unauthorized)
        why = "wrong or missing token" if wrong else message.error.error
        self.state = replace(self.state, refusal=why)

    def on_status_arrived(self, message: StatusArrived) -> None:
        self.state = known(self.state, message.status)

    def on_event_arrived(self, message: EventArrived) -> None:
        self.state = after(message.event, self.state)
        self._pass_round(message.event)
        if isinstance(message.event, Welcome):
            self.ask_status()
        elif isinstance(message.event, Error):
            fault = message.event
            self.tell(fault.details, fault.error, "warning" if fault.recoverable else "error")

    def on_level_arrived(self, message: LevelArrived) -> None:
        self._pass_round(message.level)

    def _pass_round(self, event: Event) -> None:
        for place in self.seen.values():
            # While the app ends, news may still arrive when the widgets have gone.
            if place.is_mounted and self.is_running:
                place.hear(event)

    def on_profiles_arrived(self, message: ProfilesArrived) -> None:
        current = self.state.wanted or self.state.profile
        self.push_screen(ChooseProfile(message.profiles, current), self._chosen)

    async def on_report_arrived(self, message: ReportArrived) -> None:
        if not isinstance(self.screen, DoctorScreen):
            return  # It was closed meanwhile.
        if isinstance(message.report, ClientError):
            self.screen.fail(str(message.report))
        else:
            await self.screen.show(message.report)

    def on_request_done(self, message: RequestDone) -> None:
        self.state = replace(self.state, doing="")
        self.ask_status()

    def on_request_failed(self, message: RequestFailed) -> None:
        if message.doing in ("start", "stop"):
            self.state = replace(self.state, doing="")
        error = message.error
        if isinstance(error, Refused):
            self.tell(error.details, f"{message.doing}: {error.error}", "error")
        else:
            # Some errors go on for pages about what exactly was malformed.
            self.tell(str(error).partition("\n")[0], f"{message.doing} failed", "error")

    def action_start_or_stop(self) -> None:
        """Start listening, or stop it; does nothing while either is under way."""
        if self.state.doing:
            return
        running = self.state.running
        self.state = replace(self.state, doing="stopping" if running else "starting")
        if running:
            self.stop()
        else:
            self.start()

    async def action_quit(self) -> None:
        """Leave; asks if that breaks something off."""
        busy = next((place.busy for place in self.seen.values() if place.busy), "")
        if busy:
            question = Confirm("Leave", f"{busy} Leave and end that?")
            self.push_screen(question, lambda yes: self.exit() if yes else None)
        else:
            self.exit()

    def action_choose_profile(self) -> None:
        self.ask_profiles()

    async def action_show_doctor(self) -> None:
        await self.push_screen(DoctorScreen())
        self.ask_doctor()

    def action_ask_doctor(self) -> None:
        """Ask again, with its screen open."""
        if isinstance(self.screen, DoctorScreen):
            self.screen.wait()
            self.ask_doctor()

    def action_reconnect(self) -> None:
        """Try again now, if there is anything to try."""
        if self.state.refusal:
            self.state = replace(self.state, refusal="", link=Link("connecting"))
            self.follow()
        elif self._stream:
            self._stream.retry_now()

    def action_show_help(self) -> None:
        keys = (
            (self.get_key_display(active.binding), active.binding.tooltip)
            for active in explained(self.screen)
        )
        here = self.screen
        signs = here.SIGNS if isinstance(here, PlaceScreen) else ()
        self.push_screen(HelpScreen(keys, signs))

    def _chosen(self, name: str | None) -> None:
        if name is None:
            return
        self.state = replace(self.state, wanted=name)
        if self.state.running and not self.state.doing:
            self.state = replace(self.state, doing="restarting")
            self.start(restart=True)

    def tell(self, text: str, title: str, severity: SeverityLevel) -> None:
        """Notify of what a server says, which is text, never markup."""
        self.notify(text, title=title, severity=severity, markup=False)
