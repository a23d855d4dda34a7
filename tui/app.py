"""The console: it listens to one server and passes on what you ask of it."""

from dataclasses import replace
from functools import partial
from typing import ClassVar

from textual.app import get_system_commands_provider
from textual.binding import Binding, BindingType
from textual.notifications import SeverityLevel

from common.events import Error, Event, Welcome
from common.problems import ClientError, Refused, Unauthorized
from common.stream import Link
from tui.commands import Commands, explained
from tui.connection import Connected
from tui.messages import (
    EventsArrived,
    FiguresArrived,
    LinkChanged,
    ProfilesArrived,
    Rejected,
    ReportArrived,
    RequestDone,
    RequestFailed,
    RoundTripMeasured,
    StatusArrived,
)
from tui.places import PLACES, Place
from tui.screens.choose import ChooseProfile
from tui.screens.confirm import Confirm
from tui.screens.doctor import DoctorScreen
from tui.screens.help import HelpScreen
from tui.screens.listen import ListenScreen
from tui.screens.place import PlaceScreen
from tui.state import State, after, known, linked


class Console(Connected):
    """Workers talk to the server and post facts; handlers fold them into `state`."""

    TITLE = "Speech to text"
    CSS_PATH = "app.tcss"
    COMMANDS = {get_system_commands_provider, Commands}
    DEFAULT_MODE = PLACES[0].name
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "r",
            "reconnect",
            "Reconnect",
            id="link.reconnect",
            show=False,
            tooltip="Try the connection now instead of waiting",
        ),
        Binding(
            "question_mark,f1",
            "show_help",
            "Help",
            id="app.help",
            key_display="?",
            tooltip="Explain the keys and the signs",
        ),
        Binding("q", "quit", "Quit", id="app.quit", tooltip="Leave; the server goes on"),
        *(
            Binding(
                place.key,
                f"go('{place.name}')",
                place.title,
                id=place.id,
                show=False,
                tooltip=place.tooltip,
            )
            for place in PLACES
        ),
    ]

    def __init__(self, url: str = "http://127.0.0.1:8000", token: str | None = None) -> None:
        super().__init__(url, token)
        self.seen: dict[str, PlaceScreen] = {}
        """The places that have been shown, by name."""
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

    def watch_state(self, state: State) -> None:
        # While the app ends, news may still arrive when the widgets have gone.
        if self.is_running:
            for place in self.seen.values():
                place.state = state

    async def action_go(self, place: str) -> None:
        """Go to a place."""
        await self.switch_mode(place)

    def on_link_changed(self, message: LinkChanged) -> None:
        self.state = linked(self.state, message.link)

    def on_rejected(self, message: Rejected) -> None:
        wrong = isinstance(message.error, Unauthorized)
        why = "wrong or missing token" if wrong else message.error.error
        self.state = replace(self.state, refusal=why)

    def on_status_arrived(self, message: StatusArrived) -> None:
        self.state = known(self.state, message.status)

    def on_figures_arrived(self, message: FiguresArrived) -> None:
        self.state = replace(self.state, figures=message.figures)

    def on_round_trip_measured(self, message: RoundTripMeasured) -> None:
        self.state = replace(self.state, round_trip=message.seconds)

    def on_events_arrived(self, message: EventsArrived) -> None:
        events = self.inbox.take()
        state = self.state
        for event in events:
            state = after(event, state)
        self.state = state
        for place in self.seen.values():
            # While the app ends, news may still arrive when the widgets have gone.
            if place.is_mounted and self.is_running:
                place.take(events)
        for event in events:
            self._react(event)

    def _react(self, event: Event) -> None:
        if isinstance(event, Welcome):
            self.ask_status()
            self.look_at_figures()
        elif isinstance(event, Error):
            self.tell(event.details, event.error, "warning" if event.recoverable else "error")
        elif self.state.running:
            self.look_at_figures()

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
            question = Confirm("Leave, and end that?", "Leave", busy)
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
        self.reconnect()
        if self.state.refusal:
            self.state = replace(self.state, refusal="", link=Link("connecting"))

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
