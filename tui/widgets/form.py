"""A form made from the profile's schema: a control a field, its fault under it as one types."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.css.query import NoMatches
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Select, Static, Switch
from textual.widgets._select import SelectCurrent

from common.profile import Profile
from tui.fields import Field, Path, Section, check, get, put, read, sections, shown, turned
from tui.text import FAINT, MUTED, one_line
from tui.widgets.listing import Overlay
from tui.widgets.texts import Texts

FIRST = 2
"""Sections that are there from the start."""


class Line(Input):
    """A text, of which the beginning is shown; a key adds to it and doesn't take its place."""

    def __init__(self, field: Field, value: Any) -> None:
        text = shown(field, value)
        super().__init__(text, placeholder=field.standard, compact=True, select_on_focus=False)
        self.cursor_position = 0


class Choice(Select[Any]):
    """Textual's, which ends the app when it goes before it is whole."""

    def compose(self) -> ComposeResult:
        yield SelectCurrent(self.prompt)
        yield Overlay(type_to_search=self._type_to_search).data_bind(compact=Select.compact)

    def _setup_options_renderables(self) -> None:
        with suppress(NoMatches):
            super()._setup_options_renderables()

    def _watch_value(self, value: Any) -> None:
        with suppress(NoMatches):
            super()._watch_value(value)


class Number(Input):
    """A number that keys turn, so that its effect can be watched meanwhile."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "shift+up,ctrl+up",
            "turn(1)",
            "More",
            id="form.more",
            key_display="⇧↑",
            tooltip="Turn the number up by a step",
        ),
        Binding(
            "shift+down,ctrl+down",
            "turn(-1)",
            "Less",
            id="form.less",
            key_display="⇧↓",
            tooltip="Turn the number down by a step",
        ),
    ]

    def __init__(self, field: Field, value: Any) -> None:
        super().__init__(shown(field, value), placeholder=field.standard, compact=True)
        self._field = field

    def action_turn(self, steps: int) -> None:
        """Turn it by so many steps, within its range."""
        self.value = turned(self._field, self.value, steps)
        self.action_end()


class Row(Widget):
    """One setting: what it is called, its control, its range, and what it does or what is wrong."""

    def __init__(self, field: Field, value: Any) -> None:
        super().__init__(id=field.id)
        self.field = field
        self.control = _control(field, value)
        self._title = Static(classes="title")
        self._note = Static(classes="note")

    def compose(self) -> ComposeResult:
        field = self.field
        standard = f"default {field.standard}" if field.standard else ""
        edges = " · ".join(part for part in (field.bounds, standard) if part)
        yield self._title
        yield self.control
        yield Static(Content.styled(edges, FAINT), classes="edges")
        yield self._note

    def read(self) -> Any:
        """Return what the control holds. Raises ValueError for what can't be understood."""
        match self.control:
            case Switch(value=value) | Select(value=value) | Texts(value=value):
                return value
            case Input(value=value):
                return read(self.field, value)
        raise TypeError(f"no control for {self.field.id}")

    async def write(self, value: Any) -> None:
        """Have the control hold a value."""
        match self.control:
            case Texts():
                await self.control.write(value)
            case Switch() | Select():
                self.control.value = value
            case Input():
                self.control.value = shown(self.field, value)

    def tell(self, fault: str, changed: bool) -> None:
        """Show what is wrong, or else what it does, and whether it is other than what is saved."""
        self.set_class(bool(fault), "-wrong")
        note = (one_line(fault), "$text-error") if fault else (self.field.help, MUTED)
        self._note.update(Content.assemble(note))
        mark = "● " if changed else "  "
        self._title.update(Content.assemble((mark, "$text-warning"), (self.field.title, "bold")))


NONE = "none"
"""How the choice of nothing is shown."""


def _control(field: Field, value: Any) -> Widget:
    match field.kind:
        case "switch":
            return Switch(bool(value), animate=False)
        case "choice":
            options = [(NONE if one is None else str(one), one) for one in field.choices]
            return Choice(options, value=value, allow_blank=False, compact=True)
        case "list":
            return Texts(list(value or ()))
        case "number" | "whole":
            return Number(field, value)
        case _:
            return Line(field, value)


class Form(VerticalScroll, can_focus=False):
    """All settings of a profile. Tells of each change with what it makes: a profile, or faults."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "pagedown",
            "section(1)",
            "Next section",
            id="form.next_section",
            show=False,
            tooltip="Go to the first setting of the next section",
        ),
        Binding(
            "pageup",
            "section(-1)",
            "Previous section",
            id="form.previous_section",
            show=False,
            tooltip="Go to the first setting of the section before",
        ),
    ]

    class Edited(Message):
        """Something was changed."""

        def __init__(self, profile: Profile | None) -> None:
            self.profile = profile
            """None while something is wrong."""
            super().__init__()

    def __init__(self, profile: Profile) -> None:
        super().__init__()
        self._began = profile
        self.saved = profile
        """What is marked as unchanged."""
        self.profile: Profile | None = profile
        """What the form holds; None while something is wrong."""
        self.faults: dict[Path, str] = {}
        self.whole = False
        """Every setting is there; it takes a moment."""

    def compose(self) -> ComposeResult:
        config = self.saved.model_dump()
        yield Static(id="whole", markup=False)
        for section in sections()[:FIRST]:
            yield from _section(section, config)

    async def on_mount(self) -> None:
        self.look()
        # The rest is out of sight: it comes after the first paint.
        self.call_after_refresh(self._go_on)

    async def _go_on(self) -> None:
        config = self.saved.model_dump()
        for section in sections()[FIRST:]:
            if self.is_attached:
                await self.mount_all(_section(section, config))
            if not self.is_attached:
                return  # Who leaves fast has no use for it.
            self.look()
        self.whole = True

    @property
    def rows(self) -> Iterator[Row]:
        return iter(self.query(Row))

    def look(self) -> None:
        """Check what the form holds, and show what is wrong beneath each field."""
        config, faults = self._config()
        profile, wrong = check(config)
        self.faults = {**wrong, **faults}
        self.profile = None if self.faults else profile
        saved = self.saved.model_dump()
        for row in self.rows:
            path = row.field.path
            row.tell(self.faults.get(path, ""), get(config, path) != get(saved, path))
        whole = self.query_one("#whole", Static)
        whole.update(self.faults.get((), ""))
        whole.display = () in self.faults

    def on_resize(self) -> None:
        self.call_after_refresh(self._keep_in_sight)

    def _keep_in_sight(self) -> None:
        focused = self.screen.focused if self.is_attached else None
        if focused and self in focused.ancestors:
            focused.scroll_visible(animate=False)

    def action_section(self, step: int) -> None:
        """Put the focus on the first setting of a section after, or before, the one that has it."""
        focused = self.screen.focused
        firsts = {row.field.path[0]: row for row in reversed([*self.rows])}
        names = list(reversed(firsts))
        here = next((row for row in self.rows if focused and row in focused.ancestors), None)
        place = names.index(here.field.path[0]) + step if here else 0
        row = firsts[names[min(max(0, place), len(names) - 1)]]
        row.control.focus()
        self.scroll_to_widget(row, animate=False, top=True)

    async def restore(self) -> bool:
        """Put the default back into the field that has the focus; return whether one has it."""
        focused = self.screen.focused
        row = next((row for row in self.rows if focused and row in focused.ancestors), None)
        if row is None:
            return False
        await row.write(row.field.default)
        return True

    @on(Input.Changed)
    @on(Switch.Changed)
    @on(Select.Changed)
    @on(Texts.Edited)
    def _edited(self, message: Message) -> None:
        message.stop()
        before = self.profile
        self.look()
        if self.profile != before or self.profile is None:
            self.post_message(self.Edited(self.profile))

    def _config(self) -> tuple[dict[str, Any], dict[Path, str]]:
        config = self._began.model_dump()
        faults: dict[Path, str] = {}
        for row in self.rows:
            try:
                put(config, row.field.path, row.read())
            except ValueError as error:
                faults[row.field.path] = str(error)
        return config, faults


def _section(section: Section, config: Mapping[str, Any]) -> Iterator[Widget]:
    if section.title:
        heading = Content.assemble((section.title, "bold $text-primary"), f"  {section.help}")
        yield Static(heading, classes="section")
    for field in section.fields:
        yield Row(field, get(config, field.path))
