"""Profiles by name: the built-in ones, and those saved in a folder as JSON files."""

import json
from pathlib import Path

from backend.problems import bad_request, not_found
from common.api import NamedProfile, Profiles, ProfileSummary
from common.profile import BUILTIN, NAME, BadProfile, Profile, parse


def find(name: str, folder: Path) -> Profile:
    """Return a profile. Raises `Problem` 404, or 400 for a saved one that doesn't validate."""
    if name in BUILTIN:
        return BUILTIN[name]
    path = folder / f"{name}.json"
    if not NAME.fullmatch(name) or not path.is_file():
        known = ", ".join(sorted({*BUILTIN, *_saved(folder)}))
        raise not_found(f"there is no profile {name!r}; there are: {known}", "Profile not found")
    try:
        return parse(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise bad_request(f"the saved profile {name!r} is damaged: {error}") from error


def describe(name: str, folder: Path) -> NamedProfile:
    """Return a profile as it is told over REST."""
    config = find(name, folder).model_dump(mode="json")
    return NamedProfile(name=name, builtin=name in BUILTIN, config=config)


def summaries(folder: Path, default: str) -> Profiles:
    """Return all profiles; a damaged one is listed with its fault, not left out."""
    found = [
        ProfileSummary(name=name, description=profile.description, builtin=True)
        for name, profile in BUILTIN.items()
    ]
    for name, path in sorted(_saved(folder).items()):
        try:
            description = parse(json.loads(path.read_text(encoding="utf-8"))).description
        except (OSError, ValueError, BadProfile) as error:
            description = f"damaged: {error}"
        found.append(ProfileSummary(name=name, description=description, builtin=False))
    return Profiles(profiles=found, default=default)


def _saved(folder: Path) -> dict[str, Path]:
    try:
        paths = sorted(folder.glob("*.json"))
    except OSError:
        return {}
    return {
        path.stem: path for path in paths if NAME.fullmatch(path.stem) and path.stem not in BUILTIN
    }
