"""What the server found when it looked at its own machine."""

from collections.abc import Iterator
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from common.api import DoctorReport, Finding
from tui.screens.dialog import Dialog
from tui.text import MUTED, one_line

MARKS = {
    "ok": ("✓", "$text-success"),
    "note": ("·", "$text-warning"),
    "fault": ("✗", "$text-error"),
}


def row(finding: Finding, before: str) -> Widget:
    """Return a finding; its name is left out after one of the same."""
    mark, tone = MARKS[finding.state]
    mend = f"\nto mend it: {one_line(finding.cure)}" if finding.cure else ""
    again = finding.name == before
    name = "" if again else one_line(finding.name)
    return Horizontal(
        Static(Content.assemble((f"{mark} {finding.state}", tone)), classes="state"),
        Container(
            Static(Content.assemble((name, "bold")), classes="name -again" if again else "name"),
            Static(Content.assemble(one_line(finding.found), (mend, MUTED)), classes="found"),
        ),
    )


def verdict(report: DoctorReport) -> str:
    """Return the report in a line."""
    faults = sum(one.state == "fault" for one in report.findings)
    if not faults:
        return "Nothing keeps the server from its work."
    return "One fault keeps" if faults == 1 else f"{faults} faults keep"


class DoctorScreen(Dialog[None]):
    """Opens at once; the report is shown when it comes."""

    CSS_PATH = "doctor.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (64, "-broad")]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape,d,q",
            "leave",
            "Back",
            id="doctor.leave",
            key_display="esc",
            tooltip="Close the report",
        ),
        Binding(
            "r",
            "app.ask_doctor",
            "Look again",
            id="doctor.again",
            tooltip="Have the server look at its machine again",
        ),
    ]

    def compose(self) -> ComposeResult:
        page = VerticalScroll(Static("The server looks at its machine…", id="verdict"))
        page.border_title = "Doctor"
        page.border_subtitle = "r look again · esc back"
        yield page

    def wait(self) -> None:
        """Say that a new report is on its way."""
        self.query_one("#verdict", Static).update("The server looks at its machine…")

    def fail(self, why: str) -> None:
        """Say why there is no report."""
        self.query_one("#verdict", Static).update(Content(f"No report: {one_line(why)}"))

    async def show(self, report: DoctorReport) -> None:
        """Show a report in the place of the one before."""
        text = verdict(report)
        rest = "" if report.healthy else " the server from what its default profile asks."
        self.query_one("#verdict", Static).update(text + rest)
        page = self.query_one(VerticalScroll)
        await page.query(Horizontal).remove()
        await page.mount_all(_rows(report))

    def action_leave(self) -> None:
        self.dismiss(None)


def _rows(report: DoctorReport) -> Iterator[Widget]:
    before = ""
    for finding in report.findings:
        yield row(finding, before)
        before = finding.name
