"""Engines and models: what is here, what can be had, what is on its way and what is loaded."""

from collections.abc import Iterable
from typing import ClassVar

from textual import getters, on, work
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from common.api import ConfigureRequest
from common.events import Event, ModelProgress
from common.models import EngineInfo, Engines, ModelInfo, Models
from common.problems import ClientError
from tui.messages import RequestFailed
from tui.screens.ask import AskText
from tui.screens.confirm import Confirm
from tui.screens.place import PlaceScreen
from tui.state import State
from tui.text import FAINT, MUTED, one_line, size
from tui.widgets.hanging import Hanging
from tui.widgets.listing import Listing

MARKS = {
    "loaded": ("●", "$text-success"),
    "loading": ("◐", "$text-warning"),
    "installed": ("○", "$text-success"),
    "downloading": ("↓", "$text-warning"),
    "partial": ("◌", "$text-warning"),
    "available": ("·", FAINT),
}
"""A mark and its style for each state of a model."""
BAR = 24
"""Cells of a download's bar."""


def described(model: ModelInfo, used: bool) -> Content:
    """Return a model's lines: its state and size, and how far its download has come."""
    sign, tone = MARKS[model.state]
    parts: list[str] = [model.state]
    if model.size_bytes is not None:
        parts.append(f"{size(model.size_bytes)} on disk")
    if model.memory_bytes is not None:
        parts.append(f"{size(model.memory_bytes)} of memory")
    if model.in_use:
        parts.append("1 session" if model.in_use == 1 else f"{model.in_use} sessions")
    hub = model.repository if model.repository != model.name else None
    lines = [
        Content.assemble(
            (f"{sign} ", tone),
            (f"{one_line(model.name):<16}", "bold"),
            ("  in use" if used else "", "$text-success"),
            (f"  {' · '.join(parts)}", MUTED),
            (f"  {one_line(hub)}" if hub else "", FAINT),
        )
    ]
    if model.state == "downloading":
        lines.append(progress(model.done or 0, model.total))
    return Content("\n").join(lines)


def progress(done: float, total: float | None) -> Content:
    """Return how far a download has come, as a bar and in words."""
    if not total:
        return Content.styled(f"  {size(done)}, of how many isn't known yet", MUTED)
    halves = round(min(1.0, done / total) * BAR * 2)
    full = "━" * (halves // 2) + "╸" * (halves % 2)
    return Content.assemble(
        "  ",
        (full, "$primary"),
        ("─" * (BAR - len(full)), FAINT),
        (f" {done / total:.0%}  {size(done)} of {size(total)}", MUTED),
    )


def engine_line(engine: EngineInfo) -> Content:
    """Return whether an engine can be used, or what it lacks and how to get it."""
    sign, tone = ("✓", "$text-success") if not engine.missing else ("✗", "$text-error")
    standard = f"  default model {one_line(engine.default_model)}" if engine.default_model else ""
    return Content.assemble(
        (f"{sign} ", tone),
        (one_line(engine.name), "bold"),
        (standard if not engine.missing else f"  {one_line(engine.missing)}", MUTED),
    )


def everything(engines: Engines, models: Models) -> list[ModelInfo]:
    """Return the models, those included that come with their engine and need no download."""
    listed = {(one.engine, one.name) for one in models.models}
    brought = [
        ModelInfo(
            name=model.name,
            engine=engine.name,
            repository=model.repository,
            installed=model.installed,
            state="installed" if model.installed else "available",
        )
        for engine in engines.engines
        for model in engine.models
        if (engine.name, model.name) not in listed
    ]
    return [*models.models, *brought]


def advanced(models: list[ModelInfo], event: ModelProgress) -> list[ModelInfo] | None:
    """Return the models after news of a download; None if the server must be asked anew."""
    for place, model in enumerate(models):
        if event.model in (model.name, model.repository):
            if event.stage != "download":
                return None
            news = {"state": "downloading", "done": int(event.done), "total": None}
            if event.total:
                news["total"] = int(event.total)
            changed = model.model_copy(update=news)
            return [*models[:place], changed, *models[place + 1 :]]
    return None


class ModelsScreen(PlaceScreen):
    """The engines on top, the models beneath them."""

    CSS_PATH = "models.tcss"
    AUTO_FOCUS = "OptionList"
    SIGNS = (
        ("●", "loaded: it answers at once"),
        ("○", "on the server's disk"),
        ("↓", "being downloaded"),
        ("◌", "half here: the next pull goes on where the last one ended"),
        ("·", "to be had from the hub"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "pull", "Pull", id="models.pull", tooltip="Have the server download it"),
        Binding(
            "P",
            "pull_other",
            "Pull other",
            id="models.pull_other",
            show=False,
            tooltip="Have the server download a model by its name on the hub",
        ),
        Binding("c", "cancel", "Cancel", id="models.cancel", tooltip="Stop its download"),
        Binding("w", "switch", "Use", id="models.use", tooltip="Have it read from now on"),
        Binding("l", "load", "Load", id="models.load", tooltip="Load it, so that it answers soon"),
        Binding(
            "u", "unload", "Unload", id="models.unload", tooltip="Have it give its memory back"
        ),
        Binding(
            "x,delete",
            "remove",
            "Remove",
            id="models.remove",
            key_display="x",
            tooltip="Delete it from the server's disk; asks first",
        ),
    ]

    class Listed(Message):
        """The server told which engines and models it has."""

        def __init__(self, engines: Engines, models: Models) -> None:
            self.engines = engines
            self.models = models
            super().__init__()

    listed = getters.query_one(OptionList)

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=name)
        self._models: list[ModelInfo] = []

    def contents(self) -> Iterable[Widget]:
        engines = VerticalScroll(Static("Asking the server…", id="engines"), can_focus=False)
        engines.border_title = "Engines"
        listed = Listing(markup=False)
        listed.border_title = "Models"
        yield engines
        yield listed

    def on_screen_resume(self) -> None:
        self.ask()

    def watch_state(self, before: State, state: State) -> None:
        if not self.is_mounted:
            return
        if self.is_current and state.connected and not before.connected:
            self.ask()
        elif state.engine != before.engine:
            self._show(self._models)

    def hear(self, event: Event) -> None:
        if isinstance(event, ModelProgress):
            after = advanced(self._models, event)
            if after is not None:
                self._show(after)
            elif self.is_current:
                self.ask()

    @work(group="list", exclusive=True)
    async def ask(self) -> None:
        """Ask for engines and models."""
        try:
            client = self.app.client
            self.post_message(self.Listed(await client.engines(), await client.models()))
        except ClientError as error:
            self.query_one("#engines", Static).update(Content(f"No list: {one_line(str(error))}"))

    @on(Listed)
    def _on_listed(self, message: Listed) -> None:
        auto = Content.assemble(("  auto takes ", MUTED), one_line(message.engines.auto))
        lines = [engine_line(engine) for engine in message.engines.engines]
        self.query_one("#engines", Static).update(Content("\n").join([*lines, auto]))
        free = message.models.free_bytes
        room = f" · {size(free)} free" if free is not None else ""
        self.listed.border_subtitle = Content(f"{one_line(message.models.cache)}{room}")
        self._show(everything(message.engines, message.models))

    def _show(self, models: list[ModelInfo]) -> None:
        marked = self._marked()
        same = [one.name for one in models] == [one.name for one in self._models]
        self._models = models
        lines = [Hanging(described(one, self._is_used(one))) for one in models]
        if same and lines:
            for place, line in enumerate(lines):
                self.listed.replace_option_prompt_at_index(place, line)
            return
        self.listed.clear_options()
        self.listed.add_options(Option(line) for line in lines)
        names = [one.name for one in models]
        if names:
            there = marked is not None and marked.name in names
            self.listed.highlighted = names.index(marked.name) if marked and there else 0

    def _is_used(self, model: ModelInfo) -> bool:
        engine = self.state.engine
        if engine is None or engine.name != model.engine or engine.state != "ready":
            return False
        return engine.model in (model.name, model.repository)

    def _marked(self) -> ModelInfo | None:
        place = self.listed.highlighted
        if place is None or place >= len(self._models):
            return None
        return self._models[place]

    @work(group="pull")
    async def action_pull(self) -> None:
        if marked := self._marked():
            await self._pull(marked.name)

    @work(group="pull")
    async def action_pull_other(self) -> None:
        hint = "Its name on the hub, such as mlx-community/whisper-tiny."
        name = await self.app.push_screen_wait(AskText("Pull a model", hint))
        if name:
            await self._pull(name)

    async def _pull(self, name: str) -> None:
        try:
            told = await self.app.client.pull_model(name)
        except ClientError as error:
            self._fail("pull", error)
            return
        if not told.pulling:
            self.app.tell("it is on the server's disk already", one_line(name), "information")
        self.ask()

    @work(group="change")
    async def action_cancel(self) -> None:
        if marked := self._marked():
            try:
                await self.app.client.cancel_pull(marked.name)
            except ClientError as error:
                self._fail("cancel", error)
            self.ask()

    @work(group="change")
    async def action_switch(self) -> None:
        if marked := self._marked():
            wish = ConfigureRequest.model_validate(
                {"engine": marked.engine, "model": self._argument(marked)}
            )
            try:
                told = await self.app.client.configure(wish)
            except ClientError as error:
                self._fail("use", error)
            else:
                name = f"{told.engine.name} · {told.engine.model or ''}"
                self.app.tell("It reads from the next utterance on.", name, "information")
                self.app.ask_status()
            self.ask()

    @work(group="change")
    async def action_load(self) -> None:
        if marked := self._marked():
            self.app.tell("That takes a moment.", f"Loading {marked.name}", "information")
            try:
                await self.app.client.load_model(marked.engine, self._argument(marked))
            except ClientError as error:
                self._fail("load", error)
            self.ask()

    @work(group="change")
    async def action_unload(self) -> None:
        if marked := self._marked():
            try:
                await self.app.client.unload_model(marked.name)
            except ClientError as error:
                self._fail("unload", error)
            self.ask()

    @work(group="change")
    async def action_remove(self) -> None:
        if not (marked := self._marked()):
            return
        room = f", {size(marked.size_bytes)}" if marked.size_bytes else ""
        text = f"{marked.name}{room}: it would have to be downloaded again. Delete it there?"
        if not await self.app.push_screen_wait(Confirm(text, "Remove")):
            return
        try:
            told = await self.app.client.delete_model(marked.name)
        except ClientError as error:
            self._fail("remove", error)
        else:
            self.app.tell(f"{size(told.freed_bytes)} freed", f"Removed {told.model}", "information")
        self.ask()

    def _argument(self, model: ModelInfo) -> str | None:
        """Return what `transcription.model` must hold for it: PocketSphinx brings its only one."""
        return model.name if model.repository or "/" in model.name else None

    def _fail(self, doing: str, error: ClientError) -> None:
        self.app.post_message(RequestFailed(doing, error))
