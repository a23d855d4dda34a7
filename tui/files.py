"""Profiles as files of this machine."""

import json
from pathlib import Path

from common.profile import NAME, BadProfile, Profile, parse

LARGEST = 1 << 20
"""Bytes of a file that may be a profile."""


def read_profile(path: Path) -> Profile:
    """Return the profile that a file holds. Raises OSError or `BadProfile`."""
    if path.stat().st_size > LARGEST:
        raise BadProfile(f"{path} is over {LARGEST >> 20} MiB: that is no profile")
    try:
        return parse(json.loads(path.read_text(encoding="utf-8")))
    except BadProfile:
        raise
    except ValueError as error:
        raise BadProfile(f"{path.name} is no JSON: {error}") from error


def write_profile(path: Path, profile: Profile, *, replace: bool) -> None:
    """Write a profile to a file. Raises OSError, FileExistsError unless it may be replaced."""
    text = profile.model_dump_json(indent=2, exclude_defaults=True) + "\n"
    with path.open("w" if replace else "x", encoding="utf-8") as file:
        file.write(text)


def proposed(path: Path) -> str:
    """Return a profile's name that goes with a file's."""
    name = "".join(letter if NAME.fullmatch(letter) else "-" for letter in path.stem.lower())
    return name.lstrip("-._")[:64] or "imported"


def no_file(text: str) -> str:
    """Return what is wrong with a path that should be a file's; empty if nothing is."""
    return "" if Path(text).expanduser().is_file() else "there is no such file"
