"""What of a session can be changed while it listens, and what wants a new start. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from backend.problems import Problem, bad_request, conflict
from common.profile import BadProfile, Profile, merged

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
MODELS: Mapping[str, str] = {"engine": "model", "fallback": "fallback_model"}
"""What names an engine, and what names the model that is that engine's own."""


def changed(profile: Profile, changes: Mapping[str, Any]) -> Profile:
    """Return the profile with changes laid deeply over it.

    Another engine takes its default model where the changes name none. Raises `Problem` 400.
    """
    try:
        return merged(profile, _without_models_of_others(profile, changes))
    except BadProfile as error:
        raise bad_request(str(error), "Invalid configuration") from error


def _without_models_of_others(profile: Profile, changes: Mapping[str, Any]) -> Mapping[str, Any]:
    part = changes.get("transcription")
    if not isinstance(part, Mapping):
        return changes
    others = {
        model: None
        for engine, model in MODELS.items()
        if engine in part and _others(getattr(profile.transcription, engine), part[engine])
    }
    return {**changes, "transcription": {**others, **part}}


def _others(before: object, after: object) -> bool:
    """Return whether a model of the engine before is not one of the engine after."""
    if before is None or before == after:
        return False
    alike = ("auto", "mlx_whisper")  # ``auto`` reads a model that is named with mlx_whisper.
    return before not in alike or after not in alike


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
