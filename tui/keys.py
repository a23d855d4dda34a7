"""Every key of the console: for the keymap's check, and for the table in README."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from textual.binding import Binding
from textual.dom import DOMNode
from textual.keys import format_key
from textual.screen import Screen

from tui.places import PLACES, named

OURS_ALONE = "ctrl+enter", "ctrl+s", "ctrl+b", "ctrl+j"
"""Keys that terminals and multiplexers keep for themselves: nothing may be on them."""


class Group(NamedTuple):
    """A part of the console and its keys."""

    title: str
    owner: type[DOMNode]
    above: tuple[type[DOMNode], ...]
    """Whose keys work at the same time."""

    @property
    def bindings(self) -> tuple[Binding, ...]:
        """Return the keys that this part brings, as they are by default."""
        bindings = self.owner.__dict__.get("BINDINGS", ())
        return tuple(binding for binding in bindings if isinstance(binding, Binding))


def groups() -> Iterator[Group]:
    """Yield every part of the console that has keys; loads all places."""
    from tui.app import Console

    yield Group("Everywhere", Console, ())
    seen: set[type[DOMNode]] = set()
    for place in PLACES:
        screen = place.load()
        yield Group(place.title, screen, (Console,))
        for part in map(named, screen.PARTS):
            if part not in seen:
                seen.add(part)
                modal = issubclass(part, Screen)
                yield Group(_spaced(part.__name__), part, () if modal else (Console, screen))


def faults(keys: Mapping[str, str]) -> list[str]:
    """Return what is wrong with a user's keys: names of nothing, and keys of two things."""
    known = {binding.id for group in groups() for binding in group.bindings}
    told = [f"keys: nothing is called {name!r}" for name in keys if name not in known]
    for group in groups():
        owners = [group, *(one for one in groups() if one.owner in group.above)]
        taken: dict[str, Binding] = {}
        for binding in (binding for owner in owners for binding in owner.bindings):
            for key in keys_of(binding, keys):
                other = taken.setdefault(key, binding)
                if other is not binding and {other.id, binding.id} & keys.keys():
                    one, two = sorted((other.id or "", binding.id or ""))
                    told.append(f"keys: {key!r} is both {one!r} and {two!r}")
    return list(dict.fromkeys(told))


def keys_of(binding: Binding, keys: Mapping[str, str]) -> list[str]:
    """Return the keys of a binding, the user's if there are any."""
    wanted = keys.get(binding.id or "", binding.key)
    return [one.key for one in Binding.make_bindings([Binding(wanted, binding.action)])]


def table() -> str:
    """Return the keys as Markdown tables, one for each part of the console."""
    return "\n\n".join(_table(group) for group in groups() if group.bindings)


def _table(group: Group) -> str:
    rows = [f"| {group.title} | | name |", "|---|---|---|"]
    rows += [
        f"| {_shown(binding)} | {binding.tooltip} | `{binding.id}` |" for binding in group.bindings
    ]
    return "\n".join(rows)


def _spaced(name: str) -> str:
    """Return ``Find line`` for ``FindLine`` and ``Help`` for ``HelpScreen``."""
    return re.sub("(?<=[a-z])(?=[A-Z])", " ", name.removesuffix("Screen")).capitalize()


def _shown(binding: Binding) -> str:
    keys = (format_key(key) for key in binding.key.split(","))
    return " ".join(f"`{key}`" for key in keys)
