"""Taking the transcript with you: as a file, or over the clipboard."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from textual import getters, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Static

from common.export import FORMATS, Final, export
from tui.screens.confirm import Confirm
from tui.screens.dialog import Dialog
from tui.widgets.chooser import Chooser


class ExportScreen(Dialog[str | None]):
    """Ends with what was done, in words, or None if nothing was."""

    CSS_PATH = "export.tcss"
    AUTO_FOCUS = "#format"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back", id="export.leave", tooltip="Export nothing"),
        Binding(
            "enter",
            "write",
            "Write the file",
            id="export.write",
            tooltip="Write the file; asks before it replaces one",
        ),
        Binding(
            "ctrl+y",
            "copy",
            "Copy",
            id="export.copy",
            tooltip="Put it on the clipboard of your terminal, also over SSH",
        ),
    ]

    part = getters.query_one("#part", Chooser)
    format = getters.query_one("#format", Chooser)
    path = getters.query_one(Input)

    def __init__(self, parts: Mapping[str, Sequence[Final]], folder: Path | None = None) -> None:
        """
        Args:
            parts: what can be exported, by its name; the first is offered first.
            folder: where the file is put, by default where the console was started.

        """
        super().__init__()
        self._parts = parts
        self._folder = folder or Path.cwd()
        self._stem = time.strftime("transcript-%Y%m%d-%H%M%S")

    def compose(self) -> ComposeResult:
        names = [f"{name} ({len(finals)})" for name, finals in self._parts.items()]
        formats = [f"{one.title} · {kind}" for kind, one in FORMATS.items()]
        with Vertical() as page:
            page.border_title = "Export"
            page.border_subtitle = "enter write · ^y copy · esc back"
            yield Horizontal(Static("what"), Chooser(names, "part"))
            yield Horizontal(Static("format"), Chooser(formats, "format"))
            yield Horizontal(Static("file"), Input(self._offer("txt"), compact=True))
            yield Static("← → choose · tab next", id="fault", markup=False)

    @property
    def kind(self) -> str:
        return list(FORMATS)[self.format.chosen]

    def on_chooser_changed(self, message: Chooser.Changed) -> None:
        if message.chooser is self.format:
            path = Path(self.path.value)
            if path.suffix.removeprefix(".") in FORMATS:
                self.path.value = str(path.with_suffix(f".{self.kind}"))

    def on_input_submitted(self, message: Input.Submitted) -> None:
        self.action_write()

    def action_write(self) -> None:
        self._write(replace=False)

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(self._text())
        self.dismiss(f"Copied {self._count()} as {self.kind}.")

    def action_leave(self) -> None:
        self.dismiss(None)

    @work(exclusive=True)
    async def _write(self, *, replace: bool) -> None:
        wanted = self.path.value.strip()
        if not wanted:
            self._say("A name is needed for the file.")
            return
        path = Path(wanted).expanduser()
        path = path if path.is_absolute() else self._folder / path
        try:
            with path.open("w" if replace else "x", encoding="utf-8", newline="") as file:
                file.write(self._text())
        except FileExistsError:
            question = f"{path.name} is there already. Replace it?"
            if await self.app.push_screen_wait(Confirm(question, "Replace", path_words(path))):
                self._write(replace=True)
        except OSError as error:
            self._say(f"{path_words(path)}: {error.strerror or error}")
        else:
            self.dismiss(f"Wrote {self._count()} to {path_words(path)}")

    def _offer(self, kind: str) -> str:
        return path_words(self._folder / f"{self._stem}.{kind}")

    def _finals(self) -> Sequence[Final]:
        return list(self._parts.values())[self.part.chosen]

    def _text(self) -> str:
        return export(self.kind, self._finals())

    def _count(self) -> str:
        count = len(self._finals())
        return f"{count} {'utterance' if count == 1 else 'utterances'}"

    def _say(self, text: str) -> None:
        fault = self.query_one("#fault", Static)
        fault.add_class("-told")
        fault.update(text)


def path_words(path: Path) -> str:
    """Return a path with the home folder written as people do."""
    try:
        return str(Path("~") / path.relative_to(Path.home()))
    except (ValueError, RuntimeError):
        return str(path)
