"""A profile's settings as a form, which can be tried on what listens while it is filled in."""

from typing import TYPE_CHECKING, ClassVar

from textual import getters, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from common.events import Level
from common.problems import ClientError, Refused
from common.profile import NAME, Profile
from tui.fields import Path, changes, differences, sparse
from tui.messages import RequestFailed
from tui.screens.ask import AskText
from tui.screens.confirm import Confirm
from tui.screens.dialog import Ending
from tui.screens.differ import DifferScreen
from tui.text import MUTED, one_line
from tui.widgets.form import Form
from tui.widgets.keyline import KeyLine
from tui.widgets.meter import Meter

if TYPE_CHECKING:
    from tui.app import Console


def bad_name(name: str) -> str:
    """Return what is wrong with a profile's name; empty if nothing is."""
    if NAME.fullmatch(name):
        return ""
    return "begin with a-z or a digit; go on with those, dots, dashes, underscores; 64 at most"


class EditScreen(Ending, Screen[str | None]):
    """Ends with the name under which the profile was saved last, or None."""

    CSS_PATH = "edit.tcss"
    AUTO_FOCUS = "Form Input"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (64, "-broad")]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (24, "-tall")]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape",
            "leave",
            "Back",
            id="edit.leave",
            tooltip="Back to the profiles; asks if something isn't saved",
        ),
        Binding("f2", "save", "Save", id="edit.save", tooltip="Save the profile on the server"),
        Binding(
            "f3",
            "save_as",
            "Save as",
            id="edit.save_as",
            show=False,
            tooltip="Save the profile under another name",
        ),
        Binding(
            "f4",
            "restore",
            "Default",
            id="edit.default",
            tooltip="Put the default back into the field that has the focus",
        ),
        Binding(
            "f5",
            "apply",
            "Apply",
            id="edit.apply",
            tooltip="Have what listens now go by these settings, without a break",
        ),
        Binding(
            "f6",
            "live",
            "Live",
            id="edit.live",
            tooltip="Apply every change at once while you watch the meter, or stop doing so",
        ),
        Binding(
            "f7",
            "restart",
            "Restart",
            id="edit.restart",
            show=False,
            tooltip="Start the server's listening anew with these settings",
        ),
        Binding(
            "f8",
            "differences",
            "Changes",
            id="edit.differences",
            tooltip="Show what differs from what is saved",
        ),
        Binding("f1", "app.show_help", "Help", id="app.help", tooltip="Explain the keys"),
    ]
    if TYPE_CHECKING:
        app = getters.app(Console)
    form = getters.query_one(Form)
    meter = getters.query_one(Meter)

    def __init__(self, title: str, profile: Profile, *, saved: bool, fixed: bool = False) -> None:
        """
        Args:
            title: the profile's name.
            profile: its settings.
            saved: the server has it so.
            fixed: it is built in, so that it can be saved under another name only.

        """
        super().__init__()
        self.title = title
        self._profile = profile
        self._known = saved
        self._fixed = fixed
        self._saved_as: str | None = None
        self.live = False
        self._applying = False
        self._wanted: Profile | None = None
        self._touched: set[Path] = set()
        self._news = ""

    def compose(self) -> ComposeResult:
        yield Static(id="head")
        yield Meter()
        yield Form(self._profile)
        yield KeyLine()

    def on_mount(self) -> None:
        self._describe()

    def hear(self, level: Level) -> None:
        """Show how loud it is."""
        if level.session_id in (None, self.app.state.session_id):
            self.add_class("-heard")
            self.meter.level = level

    def on_form_edited(self, message: Form.Edited) -> None:
        self._news = ""
        if self.live and message.profile:
            self._try(message.profile)
        self._describe()

    async def action_restore(self) -> None:
        if not await self.form.restore():
            self.notify("Choose a field first.", severity="warning")

    def action_live(self) -> None:
        self.live = not self.live
        if self.live and self.form.profile:
            self._try(self.form.profile)
        self._describe()

    def action_apply(self) -> None:
        if profile := self._sound():
            self._try(profile)

    def action_differences(self) -> None:
        if profile := self._sound():
            told = differences(self.form.saved, profile)
            self.app.push_screen(DifferScreen(f"{self.title}: not saved yet", told))

    def action_save(self) -> None:
        if self._fixed:
            self.action_save_as()
        elif profile := self._sound():
            self._save(str(self.title), profile)

    def action_save_as(self) -> None:
        if profile := self._sound():
            hint = "a built-in profile stays as it is" if self._fixed else ""
            question = AskText("Save the profile as", hint, f"my-{self.title}", fault=bad_name)
            self._ask_and_save(question, profile)

    @work(group="save", exclusive=True)
    async def _ask_and_save(self, question: AskText, profile: Profile) -> None:
        name = await self.app.push_screen_wait(question)
        if not name:
            return
        try:
            listed = await self.app.client.profiles()
        except ClientError as error:
            self._fail("save", error)
            return
        taken = name != self.title and any(one.name == name for one in listed.profiles)
        text = f"There is a profile {name} already. Replace it?"
        if not taken or await self.app.push_screen_wait(Confirm(text, "Save as")):
            self._save(name, profile)

    @work(group="saving")
    async def _save(self, name: str, profile: Profile) -> None:
        try:
            await self.app.client.save_profile(name, sparse(profile))
        except ClientError as error:
            self._fail("save", error)
            return
        self._saved_as = self.title = name
        self._known, self._fixed = True, False
        self.form.saved = profile
        self.form.look()
        self._news = "saved"
        self._describe()

    @work(group="restart", exclusive=True)
    async def action_restart(self) -> None:
        if profile := self._sound():
            name = str(self.title) if self._known else None
            try:
                await self.app.client.start(name, profile.model_dump(mode="json"), restart=True)
            except ClientError as error:
                self._fail("restart", error)
            else:
                self._news = "listening with these settings"
                self._describe()

    @work
    async def action_leave(self) -> None:
        text = "What you changed isn't saved. Leave it?"
        if self._is_saved() or await self.app.push_screen_wait(Confirm(text, "Leave")):
            self.dismiss(self._saved_as)

    def _is_saved(self) -> bool:
        return self._known and self.form.profile == self.form.saved

    def _sound(self) -> Profile | None:
        if self.form.profile is None:
            count = len(self.form.faults)
            self.notify(
                "One field is wrong." if count == 1 else f"{count} fields are wrong.",
                severity="warning",
            )
        return self.form.profile

    def _try(self, profile: Profile) -> None:
        self._wanted = profile
        if not self._applying:
            self._applying = True
            self._apply()

    @work(group="apply")
    async def _apply(self) -> None:
        """Have what listens go by what is wanted, until nothing newer is."""
        try:
            while self._wanted:
                wanted, self._wanted = self._wanted, None
                self._news = await self._tune(wanted)
        except ClientError as error:
            self.live = False
            self._fail("apply", error)
        finally:
            self._applying = False
            self._describe()

    async def _tune(self, wanted: Profile) -> str:
        client = self.app.client
        session = self.app.state.session_id
        if session is None:
            fed = await client.sessions()
            session = fed[0].session_id if fed else None
        if session is None:
            self.live = False
            self.notify("Nothing listens now: f7 starts it with these.", severity="warning")
            return ""
        now = await client.tune_session(session)
        self._touched |= {field.path for field, _, _ in differences(self._profile, wanted)}
        # A session may have been started with changes of its own, such as another source: where
        # it runs this profile, what was never touched here stays as it is there.
        only = self._touched if now.profile == self.title else None
        if wish := changes(Profile.model_validate(now.config), wanted, only):
            await client.tune_session(session, wish)
        return "applied to what listens"

    def _fail(self, doing: str, error: ClientError) -> None:
        self.app.post_message(RequestFailed(doing, error))
        if doing == "apply" and isinstance(error, Refused) and error.status_code == 409:
            self.notify("f7 starts the listening anew with these settings.")

    def _describe(self) -> None:
        if not self.is_attached:
            return
        form = self.form
        if form.faults:
            count = len(form.faults)
            state = ("one fault" if count == 1 else f"{count} faults", "$text-error")
        elif not self._known:
            state = ("not saved yet", "$text-warning")
        elif form.profile and (count := len(differences(form.saved, form.profile))):
            state = ("one change" if count == 1 else f"{count} changes", "$text-warning")
        else:
            state = ("as saved", MUTED)
        live = ("  ● live", "$text-success") if self.live else ("", "")
        news = (f"  {self._news}", "$text-success") if self._news else ("", "")
        name = one_line(str(self.title))
        built = "  built in" if self._fixed else ""
        head = Content.assemble(
            (f" Profile {name}", "bold $text-primary"), (built, MUTED), "  ", state, live, news
        )
        self.query_one("#head", Static).update(head)
