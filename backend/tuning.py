"""What of a session can be changed while it listens, and what wants a new start. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from backend.problems import Problem, bad_request, conflict
from common.profile import BadProfile, Profile, TranscriptionPart, dropped, merged

FIXED: Mapping[str, tuple[str, ...]] = {
    "audio": ("device", "source", "channel"),
    "wake_word": (
        "enabled",
        "words",
        "detector",
        "sensitivity",
        "pronunciations",
        "timeout",
        "follow_up",
    ),
    "transcription": ("auto_start",),
}
"""The settings of each section that a session keeps to its end."""


def changed(profile: Profile, changes: Mapping[str, Any]) -> Profile:
    """Return the profile with changes laid deeply over it.

    Another engine comes without what is the first one's own. Raises `Problem` 400.
    """
    wanted = changes.get("transcription")
    if isinstance(wanted, Mapping):
        profile = _without(profile, dropped(profile.transcription, wanted))
    try:
        return merged(profile, changes)
    except BadProfile as error:
        raise bad_request(str(error), "Invalid configuration") from error


def _without(profile: Profile, names: tuple[str, ...]) -> Profile:
    """Return the profile with the defaults of those settings of its transcription."""
    defaults = TranscriptionPart()
    part = profile.transcription.model_copy(
        update={name: getattr(defaults, name) for name in names}
    )
    return profile.model_copy(update={"transcription": part})


def fixed_changes(before: Profile, after: Profile) -> list[str]:
    """Return the paths of what differs and can't be changed while it listens."""
    return list(_differing(before, after))


def _differing(before: Profile, after: Profile) -> Iterator[str]:
    for section, names in FIXED.items():
        old: BaseModel = getattr(before, section)
        new: BaseModel = getattr(after, section)
        for name in names:
            if getattr(old, name) != getattr(new, name):
                yield f"{section}.{name}"


def wants_restart(paths: list[str], *, own: bool) -> Problem:
    """The refusal of changes that a session can't take while it listens."""
    cure = (
        'start it again with them: POST /api/v1/system/start with "restart": true'
        if own
        else "end the session and open another with them"
    )
    return conflict(
        f"{', '.join(paths)} can't be changed while the session listens; {cure}", "Needs a restart"
    )
