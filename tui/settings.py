"""What the console remembers and what you wish of it: one JSON file in the platform's folder.

{"theme": "nord", "keys": {"transcript.copy": "y"}, "motion": false}
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

NAMES = ("theme", "keys", "motion")


@dataclass(frozen=True)
class Settings:
    """What the file holds."""

    theme: str | None = None
    """The last one chosen in the palette; None for the default."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Keys by the names of what they do, several with commas between."""
    motion: bool = False
    """Scrolling and fading are drawn as movements."""
    faults: tuple[str, ...] = ()
    """What of the file could not be taken, in words."""


def path() -> Path:
    """Return where the file is: STT_CONSOLE_CONFIG, or in the platform's configuration folder."""
    if named := os.environ.get("STT_CONSOLE_CONFIG"):
        return Path(named).expanduser()
    from platformdirs import user_config_path

    return user_config_path("stt-console", appauthor=False) / "console.json"


def load(file: Path) -> Settings:
    """Return the settings of a file, with what is wrong with it; of none, the defaults."""
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Settings()
    except OSError as error:
        return Settings(faults=(f"{file}: {error.strerror or error}",))
    except ValueError as error:
        return Settings(faults=(f"{file} is no JSON: {error}",))
    if not isinstance(held, dict):
        return Settings(faults=(f"{file} holds no JSON object",))
    return _taken(held)


def _taken(held: dict[str, Any]) -> Settings:
    theme, keys, motion = (held.get(name) for name in NAMES)
    faults = [
        f"there is no setting {name!r}; there are {', '.join(NAMES)}"
        for name in held
        if name not in NAMES
    ]
    if not isinstance(theme, str | None):
        faults.append(f"theme is the name of one, not {theme!r}")
    if not isinstance(motion, bool | None):
        faults.append(f"motion is true or false, not {motion!r}")
    if keys is not None and not _is_keymap(keys):
        faults.append('keys is an object such as {"transcript.copy": "y"}')
    taken = theme if isinstance(theme, str) else None
    return Settings(taken, keys if _is_keymap(keys) else {}, motion is True, tuple(faults))


def _is_keymap(keys: Any) -> TypeGuard[dict[str, str]]:
    return isinstance(keys, dict) and all(isinstance(key, str) and key for key in keys.values())


def remember_theme(file: Path, theme: str) -> None:
    """Write the theme into the file and leave the rest as it is.

    Raises `OSError`, and `ValueError` for a file that is no JSON object, which stays as it is.
    """
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        held = {}
    if not isinstance(held, dict):
        raise ValueError(f"{file} holds no JSON object")
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    draft.write_text(json.dumps({**held, "theme": theme}, indent=2) + "\n", encoding="utf-8")
    draft.replace(file)
