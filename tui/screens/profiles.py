"""The server's profiles: what they are for, how they differ, and all that can be done with them."""

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from textual import getters, on, work
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from common.api import Profiles, ProfileSummary
from common.events import Event, Level
from common.problems import ClientError
from common.profile import BUILTIN, BadProfile, Profile, parse
from tui.fields import differences, sparse
from tui.files import no_file, proposed, read_profile, write_profile
from tui.messages import RequestFailed
from tui.screens.ask import AskText
from tui.screens.confirm import Confirm
from tui.screens.differ import lines
from tui.screens.edit import EditScreen, bad_name
from tui.screens.place import PlaceScreen
from tui.standing import described, told_fault
from tui.starting import start
from tui.state import State
from tui.text import FAINT, MUTED, one_line
from tui.widgets.hanging import Hanging
from tui.widgets.listing import Listing


class ProfilesScreen(PlaceScreen):
    """Lists them; the one that is marked is described beside the list."""

    CSS_PATH = "profiles.tcss"
    AUTO_FOCUS = "OptionList"
    SIGNS = (
        ("●", "what the server listens with"),
        ("✗", "a saved profile that no longer fits the schema; its file is kept"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "create", "New from", id="profiles.new", tooltip="Make a profile from this"),
        Binding(
            "e", "edit", "Edit", id="profiles.edit", show=False, tooltip="Open it, as enter does"
        ),
        Binding(
            "a",
            "listen",
            "Listen with",
            id="profiles.listen",
            tooltip="Listen anew, on the server, with this profile; a file there begins again",
        ),
        Binding("m", "rename", "Rename", id="profiles.rename", tooltip="Give it another name"),
        Binding(
            "x,delete",
            "delete",
            "Delete",
            id="profiles.delete",
            key_display="x",
            tooltip="Delete it; u brings it back",
        ),
        Binding(
            "u", "undo", "Undo", id="profiles.undo", tooltip="Bring back what was deleted last"
        ),
        Binding(
            "v",
            "compare",
            "Compare",
            id="profiles.compare",
            tooltip="Compare with the next of the built-in profiles",
        ),
        Binding(
            "i", "load", "Import", id="profiles.import", tooltip="Save a file of this machine here"
        ),
        Binding(
            "o",
            "store",
            "Export",
            id="profiles.export",
            tooltip="Write it to a file of this machine",
        ),
    ]

    class Listed(Message):
        """The server told which profiles it has."""

        def __init__(self, profiles: Profiles) -> None:
            self.profiles = profiles
            super().__init__()

    class Opened(Message):
        """The server told a profile's settings, or why it can't."""

        def __init__(self, name: str, profile: Profile | None, fault: str) -> None:
            self.profile_name = name
            self.profile = profile
            self.fault = fault
            super().__init__()

    listed = getters.query_one(OptionList)

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=name)
        self._profiles = Profiles(profiles=[], default="")
        self._known: dict[str, Profile] = {}
        self._deleted: list[tuple[str, Profile]] = []
        self._at: str | None = None
        """Which is to be marked once the server has told them."""
        self._base = "vad-triggered"

    def contents(self) -> Iterable[Widget]:
        listed = Listing(markup=False)
        listed.border_title = "Profiles"
        page = VerticalScroll(Static(id="what"))
        page.border_title = "Settings"
        yield Horizontal(listed, page)

    def on_mount(self) -> None:
        self._say("Asking the server…")

    def on_screen_resume(self) -> None:
        self.ask()

    def watch_state(self, before: State, state: State) -> None:
        if not self.is_mounted or state.url != before.url:
            self._known.clear()
            self._deleted.clear()
            self._at = None
        if self.is_mounted and self.is_current and state.connected and not before.connected:
            self.ask()
        elif self.is_mounted and state.profile != before.profile:
            self._list(self._profiles, self._marked_name())

    def hear(self, event: Event) -> None:
        if isinstance(event, Level) and isinstance(self.app.screen, EditScreen):
            self.app.screen.hear(event)

    def ask(self, at: str | None = None) -> None:
        """Ask the server which profiles it has; mark one of them."""
        self._at = at or self._at  # Whoever comes back from elsewhere asks once more.
        self._ask()

    @work(group="list", exclusive=True)
    async def _ask(self) -> None:
        try:
            self.post_message(self.Listed(await self.app.client.profiles()))
        except ClientError as error:
            self._say(f"No profiles: {one_line(str(error))}")

    @on(Listed)
    def _on_listed(self, message: Listed) -> None:
        self._known.clear()
        at, self._at = self._at or self._marked_name(), None
        self._list(message.profiles, at)

    def _list(self, profiles: Profiles, at: str | None) -> None:
        self._profiles = profiles
        used = self.state.profile if self.state.running else None
        self.listed.clear_options()
        self.listed.add_options(
            Option(Hanging(described(one, profiles.default, used))) for one in profiles.profiles
        )
        names = [one.name for one in profiles.profiles]
        if names:
            self.listed.highlighted = names.index(at) if at in names else 0
            self._look()

    def _marked(self) -> ProfileSummary | None:
        place = self.listed.highlighted
        fits = place is not None and place < len(self._profiles.profiles)
        return self._profiles.profiles[place or 0] if fits else None

    def _marked_name(self) -> str | None:
        marked = self._marked()
        return marked.name if marked else None

    @on(OptionList.OptionHighlighted)
    def _look(self) -> None:
        marked = self._marked()
        if marked is None:
            return
        if marked.fault:
            self._say(told_fault(marked.name, marked.fault))
        elif profile := self._known.get(marked.name):
            self._describe(marked, profile)
        else:
            self._say("…")
            self._open(marked.name)

    @work(group="open", exclusive=True)
    async def _open(self, name: str) -> None:
        try:
            told = await self.app.client.profile(name)
            self.post_message(self.Opened(name, parse(told.config), ""))
        except (ClientError, BadProfile) as error:
            self.post_message(self.Opened(name, None, str(error)))

    @on(Opened)
    def _on_opened(self, message: Opened) -> None:
        if message.profile:
            self._known[message.profile_name] = message.profile
        if message.profile_name == self._marked_name():
            if message.profile:
                self._look()
            else:
                self._say(one_line(message.fault))

    def _describe(self, marked: ProfileSummary, profile: Profile) -> None:
        base = BUILTIN[self._base]
        told = [one for one in differences(base, profile) if one[0].path != ("description",)]
        same = Content.styled("the same settings", MUTED)
        parts = [
            Content.styled(one_line(profile.description) or "No description.", "bold"),
            Content.assemble(
                ("\nCompared with ", MUTED), self._base, (" (v for the next):", MUTED)
            ),
            *(lines(told) if told else [same]),
            Content.styled(
                "\nenter opens it" + (" · built in: n makes your own" if marked.builtin else ""),
                FAINT,
            ),
        ]
        self._say(Content("\n").join(parts))

    def _say(self, what: str | Content) -> None:
        self.query_one("#what", Static).update(Content(what) if isinstance(what, str) else what)

    @on(OptionList.OptionSelected)
    def action_edit(self) -> None:
        if not (marked := self._marked()):
            return
        if profile := self._sound(marked):
            self._edit(EditScreen(marked.name, profile, saved=True, fixed=marked.builtin))

    def action_create(self) -> None:
        marked = self._marked()
        if not marked or not (profile := self._sound(marked)):
            return

        def begin(name: str | None) -> None:
            if name:
                self._edit(EditScreen(name, profile, saved=False))

        hint = f"It begins with the settings of {marked.name}."
        self.app.push_screen(AskText("New profile", hint, fault=self._bad_new_name), begin)

    def _edit(self, screen: EditScreen) -> None:
        def ask(name: str | None) -> None:
            self.ask(name)

        self.app.push_screen(screen, ask)

    def action_compare(self) -> None:
        names = list(BUILTIN)
        self._base = names[(names.index(self._base) + 1) % len(names)]
        self._look()

    @work(group="listen", exclusive=True)
    async def action_listen(self) -> None:
        if marked := self._marked():
            try:
                await start(self.app.client, marked.name, self.state, restart=True)
            except ClientError as error:
                self._fail("start", error)

    @work(group="change")
    async def action_rename(self) -> None:
        marked = self._marked()
        if not marked or not (profile := self._sound(marked)) or self._is_builtin(marked):
            return
        question = AskText("Rename the profile", "", marked.name, fault=self._bad_new_name)
        name = await self.app.push_screen_wait(question)
        if not name:
            return
        try:
            await self.app.client.save_profile(name, sparse(profile))
            await self.app.client.delete_profile(marked.name)
        except ClientError as error:
            self._fail("rename", error)
        self.ask(name)

    @work(group="change")
    async def action_delete(self) -> None:
        marked = self._marked()
        if not marked or self._is_builtin(marked):
            return
        profile = self._known.get(marked.name)
        text = f"{marked.name} can't be read, so it can't be brought back. Delete it?"
        if not profile and not await self.app.push_screen_wait(Confirm(text, "Delete")):
            return
        try:
            await self.app.client.delete_profile(marked.name)
        except ClientError as error:
            self._fail("delete", error)
            return
        if profile:
            self._deleted.append((marked.name, profile))
            self.app.tell("u brings it back", f"Deleted {marked.name}", "information")
        self.ask()

    @work(group="change")
    async def action_undo(self) -> None:
        if not self._deleted:
            self.notify("Nothing was deleted here.", severity="warning")
            return
        name, profile = self._deleted[-1]
        if self._has(name):
            self.app.tell("rename it first", f"There is a {name} again", "warning")
            return
        try:
            await self.app.client.save_profile(name, sparse(profile))
        except ClientError as error:
            self._fail("undo", error)
            return
        self._deleted.pop()
        self.ask(name)

    @work(group="change")
    async def action_load(self) -> None:
        question = AskText("Import a profile", "A JSON file on this machine.", fault=no_file)
        given = await self.app.push_screen_wait(question)
        if not given:
            return
        path = Path(given).expanduser()
        try:
            profile = read_profile(path)
        except (OSError, BadProfile) as error:
            self.app.tell(str(error), "Not imported", "error")
            return
        question = AskText("Import as", "", proposed(path), fault=bad_name)
        name = await self.app.push_screen_wait(question)
        if not name:
            return
        text = f"There is a profile {name} already. Replace it?"
        if self._has(name) and not await self.app.push_screen_wait(Confirm(text, "Import")):
            return
        try:
            await self.app.client.save_profile(name, sparse(profile))
        except ClientError as error:
            self._fail("import", error)
        self.ask(name)

    @work(group="change")
    async def action_store(self) -> None:
        marked = self._marked()
        if not marked or not (profile := self._sound(marked)):
            return
        hint = "A file on this machine."
        given = await self.app.push_screen_wait(AskText("Export to", hint, f"{marked.name}.json"))
        if not given:
            return
        path = Path(given).expanduser()
        text = f"{path} is there already. Replace it?"
        replace = path.exists()
        if replace and not await self.app.push_screen_wait(Confirm(text, "Export")):
            return
        try:
            write_profile(path, profile, replace=replace)
        except OSError as error:
            self.app.tell(f"{path}: {error.strerror or error}", "Not exported", "error")
        else:
            self.app.tell(str(path.resolve()), "Exported", "information")

    def _sound(self, marked: ProfileSummary) -> Profile | None:
        profile = self._known.get(marked.name)
        if profile is None:
            why = "it can't be used as it is" if marked.fault else "the server hasn't told it yet"
            self.app.tell(f"{marked.name}: {why}", "Not now", "warning")
        return profile

    def _is_builtin(self, marked: ProfileSummary) -> bool:
        if marked.builtin:
            self.notify("Built-in profiles stay as they are; n makes one of your own from it.")
        return marked.builtin

    def _has(self, name: str) -> bool:
        return any(one.name == name for one in self._profiles.profiles)

    def _bad_new_name(self, name: str) -> str:
        return bad_name(name) or (f"there is a profile {name} already" if self._has(name) else "")

    def _fail(self, doing: str, error: ClientError) -> None:
        self.app.post_message(RequestFailed(doing, error))
