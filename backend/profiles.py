"""Profiles by name: the built-in ones, and those saved in a folder as JSON files.

A file holds what was given, not what the defaults fill in. It is written beside its place and
moved there, so that it is whole or not there at all. One that doesn't validate is listed with
its fault, and moved aside, not lost, when a sound one takes its name.
"""

import os
import tempfile
import time
from pathlib import Path

from pydantic_core import from_json

from backend.problems import bad_request, conflict, missing, not_found
from common.api import NamedProfile, Profiles, ProfileSummary
from common.profile import BUILTIN, NAME, Profile, parse


def find(name: str, folder: Path) -> Profile:
    """Return a profile. Raises `Problem` 404, or 400 for a saved one that doesn't validate."""
    if name in BUILTIN:
        return BUILTIN[name]
    path = _path(name, folder)
    if not path.is_file():
        raise _unknown(name, folder)
    try:
        return _read(path)
    except (OSError, ValueError) as error:
        raise bad_request(
            f"the saved profile {name!r} is damaged: {error}. Mend {path.name} in the profiles "
            "folder, or save a new profile of that name"
        ) from error


def save(name: str, profile: Profile, folder: Path) -> None:
    """Save a profile, in the place of an older one of its name.

    Raises `Problem` 400 for the name, 409 for a built-in's, 503 if the folder can't be written.
    """
    if not NAME.fullmatch(name):
        raise bad_request(
            f"a profile can't be called {name[:80]!r}: begin with a letter a-z or a digit, go on "
            "with those, dots, dashes and underscores, 64 at most",
            "Bad profile name",
        )
    _refuse_builtin(name)
    path = _path(name, folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _keep_damaged(path)
        _write(path, profile.model_dump_json(indent=2, exclude_unset=True) + "\n")
    except OSError as error:
        raise missing(
            f"the profile can't be written to {folder}: {error.strerror or error}; set "
            "STT_SERVER_PROFILES_DIR to a folder that can",
            "Profile not saved",
        ) from error


def delete(name: str, folder: Path) -> None:
    """Delete a saved profile. Raises `Problem` 404, or 409 for a built-in's name."""
    _refuse_builtin(name)
    try:
        _path(name, folder).unlink()
    except FileNotFoundError:
        raise _unknown(name, folder) from None
    except OSError as error:
        raise missing(f"the profile can't be deleted: {error.strerror or error}") from error


def describe(name: str, folder: Path) -> NamedProfile:
    """Return a profile as it is told over REST."""
    config = find(name, folder).model_dump(mode="json")
    return NamedProfile(name=name, builtin=name in BUILTIN, config=config)


def exported(name: str, folder: Path) -> str:
    """Return a profile as a file that can be saved under any name again."""
    return find(name, folder).model_dump_json(indent=2, exclude_unset=True) + "\n"


def summaries(folder: Path, default: str) -> Profiles:
    """Return all profiles; a damaged one is listed with its fault, not left out."""
    found = [
        ProfileSummary(name=name, description=profile.description, builtin=True)
        for name, profile in BUILTIN.items()
    ]
    for name, path in sorted(_saved(folder).items()):
        description, fault = "", None
        try:
            description = _read(path).description
        except (OSError, ValueError) as error:
            fault = str(error)
        found.append(ProfileSummary(name=name, description=description, builtin=False, fault=fault))
    return Profiles(profiles=found, default=default)


def _path(name: str, folder: Path) -> Path:
    """Return where a profile lies. Raises `Problem` 404 for what can't be a profile's name."""
    if not NAME.fullmatch(name):
        raise _unknown(name, folder)
    return folder / f"{name}.json"


def _read(path: Path) -> Profile:
    return parse(from_json(path.read_bytes()))


def _write(path: Path, text: str) -> None:
    handle, beside = tempfile.mkstemp(prefix=f".{path.stem}-", dir=path.parent)
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise


def _keep_damaged(path: Path) -> None:
    if not path.is_file():
        return
    try:
        _read(path)
    except ValueError:
        path.rename(path.with_suffix(f".json.damaged-{time.time_ns()}"))


def _refuse_builtin(name: str) -> None:
    if name in BUILTIN:
        raise conflict(
            f"{name!r} is built in and can't be changed; save yours under another name",
            "Built-in profile",
        )


def _unknown(name: str, folder: Path) -> Exception:
    known = ", ".join(sorted({*BUILTIN, *_saved(folder)}))
    return not_found(f"there is no profile {name[:80]!r}; there are: {known}", "Profile not found")


def _saved(folder: Path) -> dict[str, Path]:
    try:
        paths = sorted(folder.glob("*.json"))
    except OSError:
        return {}
    return {
        path.stem: path for path in paths if NAME.fullmatch(path.stem) and path.stem not in BUILTIN
    }
