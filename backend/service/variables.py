"""The settings that a service starts with, as variables in a file of their own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backend.engines.openai_faults import KEY, URL
from backend.hearing.spotters import KEYS
from backend.service import MARK, ServiceError
from backend.settings import SECRETS, Settings, variable

SECRET = {KEY, *KEYS, "HF_TOKEN", *(variable(name) for name in SECRETS)}
"""Variables that are nobody's business."""
OTHERS = (KEY, URL, *KEYS, "HF_TOKEN", "HF_HOME", "HF_HUB_CACHE")
"""Variables, besides the settings, that the server reads."""
PATHS = {name for name, field in Settings.model_fields.items() if field.annotation is Path}


def gathered(environment: Mapping[str, str], flags: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables that were set, with the flags that were given in their place.

    Raises `ServiceError` for a value that no such file can hold.
    """
    found: dict[str, str] = {}
    for name in Settings.model_fields:
        value = flags.get(name)
        text = environment.get(variable(name), "") if value is None else _text(value)
        if text.strip():
            found[variable(name)] = _absolute(text) if name in PATHS else text
    found |= {name: environment[name] for name in OTHERS if environment.get(name, "").strip()}
    for name, text in found.items():
        if not text.isprintable():
            raise ServiceError(f"{name} holds a line break or another sign that can't be shown")
    return found


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute())


def environment_file(variables: Mapping[str, str]) -> str:
    """Return the file as systemd and shells read it."""
    lines = [f"# {MARK}: settings, keys and tokens. Only its owner may read it."]
    lines += [f"{name}={_quoted(text)}" for name, text in variables.items()]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    for sign in ("\\", '"', "$", "`"):
        text = text.replace(sign, f"\\{sign}")
    return f'"{text}"'


def masked(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables as they may be shown."""
    return {name: "********" if name in SECRET else text for name, text in variables.items()}
