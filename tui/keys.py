"""Every key of the console: for the keymap's check, and for the table in README."""

import pkgutil
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import NamedTuple

from textual.binding import Binding
from textual.dom import DOMNode
from textual.keys import format_key
from textual.screen import Screen

from tui.places import PLACES

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


def groups() -> list[Group]:
    """Return every part of the console that has keys; loads all places."""
    from tui.app import Console

    screens = [place.load() for place in PLACES]
    places = [
        Group(place.title, screen, (Console,))
        for place, screen in zip(PLACES, screens, strict=True)
    ]
    parts = [
        Group(_spaced(part.__name__), part, () if modal else (Console, *_users(part, screens)))
        for part in _parts()
        if part not in screens
        for modal in [issubclass(part, Screen)]
    ]
    return [Group("Everywhere", Console, ()), *places, *parts]


def _parts() -> Iterator[type[DOMNode]]:
    """Yield every screen and widget of ours that brings keys of its own."""
    for package in ("tui.screens", "tui.widgets"):
        for module in pkgutil.iter_modules(import_module(package).__path__, f"{package}."):
            for one in vars(import_module(module.name)).values():
                ours = isinstance(one, type) and one.__module__ == module.name
                if ours and issubclass(one, DOMNode) and one.__dict__.get("BINDINGS"):
                    yield one


def _users(part: type[DOMNode], screens: Sequence[type[DOMNode]]) -> Iterator[type[DOMNode]]:
    """Yield the screens whose module makes use of a widget."""
    for screen in screens:
        if part in vars(sys.modules[screen.__module__]).values():
            yield screen


def faults(keys: Mapping[str, str]) -> list[str]:
    """Return what is wrong with a user's keys: names of nothing, and keys of two things."""
    all_groups = groups()
    known = {binding.id for group in all_groups for binding in group.bindings}
    told = [f"keys: nothing is called {name!r}" for name in keys if name not in known]
    for group in all_groups:
        owners = [group, *(one for one in all_groups if one.owner in group.above)]
        taken: dict[str, Binding] = {}
        for binding in (binding for owner in owners for binding in owner.bindings):
            for key in keys_of(binding, keys):
                other = taken.setdefault(key, binding)
                if other.id != binding.id and {other.id, binding.id} & keys.keys():
                    one, two = sorted((other.id or "", binding.id or ""))
                    told.append(f"keys: {key!r} is both {one!r} and {two!r}")
    return list(dict.fromkeys(told))


def keys_of(binding: Binding, keys: Mapping[str, str]) -> list[str]:
    """Return the keys of a binding, the user's if there are any."""
    wanted = keys.get(binding.id or "", binding.key)
    return [one.key for one in Binding.make_bindings([Binding(wanted, binding.action)])]


def table() -> str:
    """Return the keys as Markdown tables, one for each part of the console."""
    return "\n\n".join(_table(group) for group in groups())


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
