"""The console's side of the wire: workers ask and listen, and post what they learn as messages."""

from __future__ import annotations

import asyncio
import gc
import time
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING

from textual import work
from textual.app import App
from textual.reactive import reactive

from common.link import Link
from common.problems import ClientError, Refused
from tui import servers
from tui.inbox import Inbox
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
from tui.starting import start
from tui.state import State

if TYPE_CHECKING:
    from common.api import DoctorReport
    from common.client import Client
    from common.stream import EventStream

AT_MOST_EVERY = 1 / 30
"""Seconds between two heaps of events that are shown: more nobody can see."""
COLLECTING = (10_000, 10, 40)
"""How seldom the cycle collector looks, `gc.set_threshold`."""
FIGURES_EVERY = 5.0
"""Seconds at least between two questions for figures, asked only when something happened."""


@dataclass(frozen=True)
class Left:
    """What is needed to come back to a server."""

    seq: int | None = None
    """The last event that was seen: what is missed comes on the return."""
    token: str | None = field(default=None, repr=False)


class Connected(App[None]):
    """An app that talks to one server. Only the handlers of its messages change `state`."""

    state: reactive[State] = reactive(State)

    def __init__(self, url: str, token: str | None) -> None:
        super().__init__()
        self.set_reactive(Connected.state, State(url=url))
        self.inbox = Inbox()
        self.left: dict[str, Left] = {}
        """The servers that were followed before, by address."""
        self._token = token
        self._client: Client | None = None
        self._stream: EventStream | None = None
        self._called = False
        self._delivered = 0.0
        self._figures_asked = 0.0

    async def on_unmount(self) -> None:
        if self._client:
            await self._client.aclose()

    @property
    def client(self) -> Client:
        """The connection to the server, made when first needed: TLS takes a moment to set up."""
        if self._client is None:
            from common.client import Client

            self._client = Client(self.state.url, self._token)
        return self._client

    async def switch_server(self, url: str, token: str | None) -> None:
        """Leave the server and follow another one, or one that was left before.

        Raises `ValueError` for what is no address.
        """
        from common.client import Client

        client = Client(url, token)
        self.workers.cancel_node(self)
        seq = self._stream.seq if self._stream else None
        self.left[self.state.url] = Left(seq, self._token)
        if self._client:
            await self._client.aclose()
        self._client, self._stream, self._token = client, None, token
        self.inbox.take()
        self.state = State(url=client.url)
        self.follow()

    def reconnect(self) -> None:
        """Try again now, if there is anything to try."""
        if self.state.refusal:
            self.follow()
        elif self._stream:
            self._stream.retry_now()

    @work(exclusive=True, group="events")
    async def follow(self) -> None:
        """Pass on the server's events until the app ends or the server refuses us."""
        # What the wire needs takes a while to load: keys are heard meanwhile.
        await asyncio.to_thread(import_module, "tui.folding")
        await asyncio.to_thread(import_module, "common.client")
        if not self.is_headless:
            # All that stays: looking through it for cycles took 0.1 to 0.2 s, and keys waited. Of
            # what comes, in a flood, it took 60 ms and was done each second: far more often than
            # the few cycles that are left behind want it.
            gc.freeze()
            gc.set_threshold(*COLLECTING)
        if self._token is None and self._client is None:
            self._token = await asyncio.to_thread(servers.token_for, servers.path(), self.state.url)
        left = self.left.get(self.state.url, Left())
        since = self._stream.seq if self._stream else left.seq
        stream = self._stream = self.client.events(since=since)
        stream.on_link = lambda link: self._pass_on(stream, link)
        stream.on_round_trip = self._measured
        try:
            async for event in stream:
                await self.inbox.put(event)
                self._call()
        except Refused as error:
            self.post_message(Rejected(error))

    def _pass_on(self, stream: EventStream, link: Link) -> None:
        if stream is self._stream:
            self.post_message(LinkChanged(link))

    def _measured(self, seconds: float) -> None:
        self.post_message(RoundTripMeasured(seconds))

    def _call(self) -> None:
        """Have what is in the inbox shown: at once, unless something just was."""
        if self._called:
            return
        self._called = True
        wait = self._delivered + AT_MOST_EVERY - time.monotonic()
        if wait > 0:
            self.set_timer(wait, self._deliver)
        else:
            self._deliver()

    def _deliver(self) -> None:
        self._called = False
        self._delivered = time.monotonic()
        self.post_message(EventsArrived())

    def look_at_figures(self) -> None:
        """Ask how it goes, unless that was asked just now. Called when something happened."""
        now = time.monotonic()
        if now - self._figures_asked >= FIGURES_EVERY:
            self._figures_asked = now
            self.ask_figures()

    @work(exclusive=True, group="figures")
    async def ask_figures(self) -> None:
        """Ask how the server does, and how long it takes to answer."""
        if self._stream:
            await self._stream.ping()
        try:
            self.post_message(FiguresArrived(await self.client.figures()))
        except ClientError:
            pass  # Nobody asked for them; the link tells if the server is away.

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
            await start(self.client, self.state.wanted, self.state, restart=restart)
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
