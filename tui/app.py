"""The console: it listens to one server and passes on what you ask of it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import SystemCommand, get_system_commands_provider
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.events import Event as Happening
from textual.events import InputEvent, Key, Paste
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.theme import Theme, ThemeProvider

from common.link import Link
from common.problems import ClientError, Closed, Refused, Unauthorized
from tui.commands import Commands, Palette, explained
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
from tui.screens.place import PlaceScreen
from tui.settings import Settings, load, remember_theme
from tui.state import State, linked

if TYPE_CHECKING:
    from common.events import Event
    from tui.screens.listen import ListenScreen


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

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        token: str | None = None,
        *,
        config: Path | None = None,
    ) -> None:
        """
        Args:
            url: the server's address.
            token: its token, where it wants one.
            config: the file of `tui.settings`; None remembers nothing.

        """
        super().__init__(url, token)
        self.seen: dict[str, PlaceScreen] = {}
        """The places that have been shown, by name."""
        self._aims: deque[tuple[Key, DOMNode]] = deque(maxlen=64)
        """Keys on their way through the widgets, and which had the keyboard when they came."""
        self._config = config
        self.settings = load(config) if config else Settings()
        for place in PLACES:
            self.add_mode(place.name, partial(self._open, place))

    def _open(self, place: Place) -> PlaceScreen:
        screen = self.seen[place.name] = place.make()
        screen.set_reactive(PlaceScreen.state, self.state)
        return screen

    @property
    def home(self) -> ListenScreen:
        """Return the place where one begins."""
        return cast("ListenScreen", self.seen[self.DEFAULT_MODE])

    def on_mount(self) -> None:
        settings = self.settings
        if not settings.motion and "TEXTUAL_ANIMATIONS" not in os.environ:
            self.animation_level = "none"
        if settings.theme in self.available_themes:
            self.theme = settings.theme
        self.set_keymap(dict(settings.keys))
        self.theme_changed_signal.subscribe(self, self._remember)
        # After the first paint: the network may take its time.
        self.call_after_refresh(self.follow)
        self.call_after_refresh(self._tell_of_settings)

    def _tell_of_settings(self) -> None:
        settings = self.settings
        told = [*settings.faults]
        if settings.theme and settings.theme not in self.available_themes:
            told.append(f"there is no theme {settings.theme!r}; ctrl+p lists those there are")
        if settings.keys:
            from tui.keys import faults

            told += faults(settings.keys)
        for fault in told:
            self.tell(fault, "Settings", "warning")

    def _remember(self, theme: Theme) -> None:
        if self._config is None or theme.name == self.settings.theme:
            return
        self.settings = replace(self.settings, theme=theme.name)
        try:
            remember_theme(self._config, theme.name)
        except (OSError, ValueError) as error:
            self.tell(f"the theme can't be remembered: {error}", "Settings", "warning")

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Offer what isn't a key of ours already."""
        ours = {"Quit", "Keys"}
        for command in super().get_system_commands(screen):
            if command.title not in ours:
                yield command

    def action_command_palette(self) -> None:
        if not isinstance(self.screen, Palette):
            self.push_screen(Palette())

    def search_themes(self) -> None:
        self.push_screen(Palette(providers=[ThemeProvider], placeholder="Search for themes…"))

    async def on_event(self, event: Happening) -> None:
        if isinstance(event, InputEvent | Paste) and (self._exit or not self.screen_stack):
            return  # What is typed while the app ends has nowhere to go.
        if isinstance(event, Key):
            here = self.focused or self.screen
            if not event.is_forwarded:
                self._aims.append((event, here))
            elif any(key is event and aim is not here for key, aim in self._aims):
                # Typed ahead: a key before it, such as the one that finds, moved the keyboard on.
                again = event.copy()
                self._aims.append((again, here))
                here._forward_event(again)
                return
        await super().on_event(event)

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
        from tui.folding import known

        self.state = known(self.state, message.status)

    def on_figures_arrived(self, message: FiguresArrived) -> None:
        self.state = replace(self.state, figures=message.figures)

    def on_round_trip_measured(self, message: RoundTripMeasured) -> None:
        self.state = replace(self.state, round_trip=message.seconds)

    def on_events_arrived(self, message: EventsArrived) -> None:
        from tui.folding import after

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
        from common.events import Error, Welcome

        if isinstance(event, Welcome):
            self.ask_status()
            self.look_at_figures()
        elif isinstance(event, Error):
            self.tell(event.details, event.error, "warning" if event.recoverable else "error")
        elif self.state.running:
            self.look_at_figures()

    def on_profiles_arrived(self, message: ProfilesArrived) -> None:
        from tui.screens.choose import ChooseProfile

        if not self.screen_stack:
            return  # The app ends.
        current = self.state.wanted or self.state.profile
        self.push_screen(ChooseProfile(message.profiles, current), self._chosen)

    async def on_report_arrived(self, message: ReportArrived) -> None:
        from tui.screens.doctor import DoctorScreen

        if not (self.screen_stack and isinstance(self.screen, DoctorScreen)):
            return  # It was closed meanwhile.
        if isinstance(message.report, ClientError):
            self.screen.fail(str(message.report))
        else:
            await self.screen.show(message.report)

    def on_request_done(self, message: RequestDone) -> None:
        self.state = replace(self.state, doing="")
        self.ask_status()

    def on_request_failed(self, message: RequestFailed) -> None:
        error = message.error
        if isinstance(error, Closed):
            return  # It was another server that was asked.
        if message.doing in ("start", "stop"):
            self.state = replace(self.state, doing="")
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
        from tui.screens.confirm import Confirm

        busy = next((place.busy for place in self.seen.values() if place.busy), "")
        if busy:
            question = Confirm("Leave, and end that?", "Leave", busy)
            self.push_screen(question, lambda yes: self.exit() if yes else None)
        else:
            self.exit()

    def action_choose_profile(self) -> None:
        self.ask_profiles()

    async def action_show_doctor(self) -> None:
        from tui.screens.doctor import DoctorScreen

        await self.push_screen(DoctorScreen())
        self.ask_doctor()

    def action_ask_doctor(self) -> None:
        """Ask again, with its screen open."""
        from tui.screens.doctor import DoctorScreen

        if isinstance(self.screen, DoctorScreen):
            self.screen.wait()
            self.ask_doctor()

    def action_reconnect(self) -> None:
        self.reconnect()
        if self.state.refusal:
            self.state = replace(self.state, refusal="", link=Link("connecting"))

    def action_show_help(self) -> None:
        from tui.screens.help import HelpScreen

        shown = (
            (self.get_key_display(active.binding), active.binding.tooltip)
            for active in explained(self.screen)
        )
        here = self.screen
        if isinstance(here, PlaceScreen):
            title = next(place.title for place in PLACES if place.name == here.name)
            self.push_screen(HelpScreen(shown, here.SIGNS, title, here.ABOUT))
        else:
            self.push_screen(HelpScreen(shown))

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
