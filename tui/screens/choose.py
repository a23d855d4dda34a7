"""Choosing a profile from the server's list."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from common.api import Profiles, ProfileSummary
from tui.screens.dialog import Dialog
from tui.text import MUTED, one_line
from tui.widgets.listing import Listing


def described(profile: ProfileSummary, default: str) -> Content:
    """Return a profile's name, its standing, and what it is for."""
    standing = ", ".join(
        word
        for word, holds in (
            ("default", profile.name == default),
            ("built in", profile.builtin),
        )
        if holds
    )
    return Content.assemble(
        (one_line(profile.name), "bold"),
        (f"  {standing}" if standing else "", MUTED),
        (f"\n{one_line(profile.description)}" if profile.description else "", MUTED),
    )


class ChooseProfile(Dialog[str | None]):
    """Ends with a profile's name, or None when none was chosen."""

    CSS_PATH = "choose.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape,p,q",
            "leave",
            "Back",
            id="choose.leave",
            key_display="esc",
            tooltip="Leave everything as it is",
        ),
    ]

    def __init__(self, profiles: Profiles, current: str | None) -> None:
        super().__init__()
        self._profiles = profiles
        self._current = current

    def compose(self) -> ComposeResult:
        listed = Listing(
            *(
                Option(described(profile, self._profiles.default))
                for profile in self._profiles.profiles
            )
        )
        listed.border_title = "Profile"
        listed.border_subtitle = "enter choose · esc back"
        names = [profile.name for profile in self._profiles.profiles]
        here = self._current or self._profiles.default
        listed.highlighted = names.index(here) if here in names else 0
        yield listed

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        self.dismiss(self._profiles.profiles[message.option_index].name)

    def action_leave(self) -> None:
        self.dismiss(None)
