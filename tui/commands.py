"""The command palette: every binding that explains itself is a command."""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial

from textual.binding import ActiveBinding
from textual.command import (
    Command,
    CommandList,
    CommandPalette,
    DiscoveryHit,
    Hit,
    Hits,
    Provider,
)
from textual.screen import Screen
from textual.types import IgnoreReturnCallbackType
from textual.widgets import Button, Input
from textual.worker import Worker

from tui.screens.dialog import Ending


def explained(screen: Screen[object]) -> Iterator[ActiveBinding]:
    """Yield the bindings in force on a screen that have an id and a tooltip, each once.

    The screen's own come first, then those of the widget that has the focus, then the app's.
    """

    def order(active: ActiveBinding) -> int:
        return 0 if active.node is screen else 2 if active.node is screen.app else 1

    seen = set()
    for active in sorted(screen.active_bindings.values(), key=order):
        binding = active.binding
        if binding.id and binding.tooltip and binding.id not in seen:
            seen.add(binding.id)
            yield active


class Commands(Provider):
    """Offers what the keys do, by name."""

    async def discover(self) -> Hits:
        for active in explained(self.screen):
            binding = active.binding
            yield DiscoveryHit(binding.description, self._command(active), help=binding.tooltip)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for active in explained(self.screen):
            binding = active.binding
            name = f"{binding.description}: {binding.tooltip}"
            if (score := matcher.match(name)) > 0:
                yield Hit(
                    score,
                    matcher.highlight(name),
                    self._command(active),
                    text=binding.description,
                )

    def _command(self, active: ActiveBinding) -> IgnoreReturnCallbackType:
        return partial(self.app.run_action, active.binding.action, active.node)


class Palette(Ending, CommandPalette):
    """Textual's own, which ends the app when it is used faster than it is drawn, or closed faster
    than its commands are found.
    """

    def _select_or_command(self, event: Input.Submitted | Button.Pressed | None = None) -> None:
        if self.is_active:
            super()._select_or_command(event)
        if not self.is_active:
            self._selected_command = None  # It is run once, however often enter was pressed.

    def _action_command_list(self, action: str) -> None:
        with suppress(KeyError):  # What isn't drawn has no lines.
            super()._action_command_list(action)

    def _gather_commands(self, search_value: str) -> Worker[None] | None:  # type: ignore[override]
        return super()._gather_commands(search_value) if self.is_active else None

    def _refresh_command_list(
        self, command_list: CommandList, commands: list[Command], clear_current: bool
    ) -> None:
        if command_list.is_attached:
            super()._refresh_command_list(command_list, commands, clear_current)
