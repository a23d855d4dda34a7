"""Facts from the server, as Textual messages. Only their handlers change what is seen."""

from textual.message import Message

from common.api import DoctorReport, Profiles, Status
from common.events import Event, Level, Transcription
from common.problems import ClientError, Refused
from common.stream import Link


class EventArrived(Message):
    """The server told something that happened."""

    def __init__(self, event: Event) -> None:
        self.event = event
        super().__init__()

    def can_replace(self, message: Message) -> bool:
        """Let a newer reading of the same words replace a partial that was not yet shown."""
        mine = self.event
        theirs = message.event if isinstance(message, EventArrived) else None
        return (
            isinstance(mine, Transcription)
            and isinstance(theirs, Transcription)
            and not mine.is_final
            and (mine.session_id, mine.utterance_id) == (theirs.session_id, theirs.utterance_id)
        )


class LevelArrived(Message):
    """It is this loud now. A newer one of the same session makes an older one moot."""

    def __init__(self, level: Level) -> None:
        self.level = level
        super().__init__()

    def can_replace(self, message: Message) -> bool:
        return (
            isinstance(message, LevelArrived) and message.level.session_id == self.level.session_id
        )


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
