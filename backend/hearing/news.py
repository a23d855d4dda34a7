"""What may be known of sound besides the sound itself. It keeps its place among the blocks."""

from dataclasses import dataclass

from backend.hearing import Detector
from common.profile import Profile


@dataclass(frozen=True, slots=True)
class Lost:
    """The microphone is gone; its source looks for it, and no sound comes meanwhile."""

    details: str
    """What happened and what is waited for."""


@dataclass(frozen=True, slots=True)
class Returned:
    """The microphone is there again, or the one that takes its place."""

    device: str


@dataclass(frozen=True, slots=True)
class Overran:
    """Sound of the microphone was lost on this machine since the last time this was told."""

    blocks: int
    """Blocks before which the audio system lost sound: how much it doesn't say."""
    seconds: float
    """Seconds of sound that the hearing thread had no room for."""


@dataclass(frozen=True, slots=True)
class FellSilent:
    """Nothing but digital zeros has come for a while."""

    seconds: float
    """How long a while."""


@dataclass(frozen=True, slots=True)
class Sounded:
    """Sound came again after a `FellSilent`."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """The sound after it is heard by other settings."""

    profile: Profile
    detector: Detector | None
    """A new one, as the profile wants it."""


News = Lost | Returned | Overran | FellSilent | Sounded | Tuned
