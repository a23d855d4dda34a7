"""Facts from the server, as Textual messages. Only their handlers change what is seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

from common.link import Link
from common.problems import ClientError, Refused

if TYPE_CHECKING:
    from common.api import DoctorReport, Profiles, Status, TranscriptionStatus


class EventsArrived(Message):
    """The server told something: it is in the app's inbox."""


class LinkChanged(Message):
    """The connection came, went, or waits to be tried again."""

    def __init__(self, link: Link) -> None:
        self.link = link
        super().__init__()


class Rejected(Message):
    """The server will not let this console in; trying again won't help."""

    def __init__(self, error: Refused) -> None:
        self.error = error
        super().__init__()


class StatusArrived(Message):
    """The server told its whole state."""

    def __init__(self, status: Status) -> None:
        self.status = status
        super().__init__()


class FiguresArrived(Message):
    """The server told how it does."""

    def __init__(self, figures: TranscriptionStatus) -> None:
        self.figures = figures
        super().__init__()


class RoundTripMeasured(Message):
    """The server answered a ping."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__()


class ProfilesArrived(Message):
    """The server listed its profiles."""

    def __init__(self, profiles: Profiles) -> None:
        self.profiles = profiles
        super().__init__()


class ReportArrived(Message):
    """The server's doctor has looked at its machine, or couldn't be asked."""

    def __init__(self, report: DoctorReport | ClientError) -> None:
        self.report = report
        super().__init__()


class RequestDone(Message):
    """The server did what it was asked for."""


class RequestFailed(Message):
    """A request was refused or got lost."""

    def __init__(self, doing: str, error: ClientError) -> None:
        self.doing = doing
        """What was asked for, as a noun: ``start``, ``stop``."""
        self.error = error
        super().__init__()
