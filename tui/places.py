"""Where one can go in the console: a line a place. Its screen is loaded when it is first shown."""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.screens.place import PlaceScreen


@dataclass(frozen=True)
class Place:
    """A screen that one goes to with a key of its own."""

    name: str
    """As it is called in the code and, with ``place.`` before it, as a binding."""
    title: str
    """As it is called on the screen."""
    key: str
    screen: str
    """``module:Class`` of a `PlaceScreen` that is made with its name."""
    tooltip: str

    @property
    def id(self) -> str:
        """Return the id of the binding that goes there."""
        return f"place.{self.name}"

    def load(self) -> "type[PlaceScreen]":
        """Load the screen's class."""
        module, _, kind = self.screen.partition(":")
        loaded: type[PlaceScreen] = getattr(import_module(module), kind)
        return loaded

    def make(self) -> "PlaceScreen":
        """Load and make the screen."""
        return self.load()(name=self.name)


PLACES = (
    Place("listen", "Listen", "1", "tui.screens.listen:ListenScreen", "Go to what is said"),
    Place("profiles", "Profiles", "2", "tui.screens.profiles:ProfilesScreen", "Go to the profiles"),
    Place(
        "sessions",
        "Sessions",
        "3",
        "tui.screens.sessions:SessionsScreen",
        "Go to what listens, and to what",
    ),
    Place("models", "Models", "4", "tui.screens.models:ModelsScreen", "Go to engines and models"),
    Place(
        "diagnostics",
        "Diagnostics",
        "5",
        "tui.screens.diagnostics:DiagnosticsScreen",
        "Go to how the server does, and what it tells",
    ),
    Place("servers", "Servers", "6", "tui.screens.servers:ServersScreen", "Go to other servers"),
)
"""In the order in which they are offered; the first is where one begins."""
