"""The doctor's screen: the server's report, in terminals of any size."""

import pytest

from common.api import DoctorReport, Finding
from tests.tui.loopback import Loopback, connected, screen_text, until
from tui.app import Console
from tui.screens.doctor import DoctorScreen, verdict

REPORT = DoctorReport(
    version="9.9.9",
    healthy=False,
    findings=[
        Finding(name="port", state="ok", found="127.0.0.1:8000 is free"),
        Finding(name="keys", state="note", found="none [b]set[/b]"),
        Finding(name="keys", state="fault", found="zeros", cure="unmute \x1b[31mit"),
    ],
)


@pytest.mark.parametrize("size", [(80, 24), (40, 20), (200, 50)])
async def test_it_shows_what_was_found_and_the_cure(
    server: Loopback, size: tuple[int, int]
) -> None:
    server.report = REPORT
    app = Console(server.url)
    async with app.run_test(size=size) as pilot:
        await connected(pilot, server)
        await pilot.press("d")
        await until(pilot, lambda: "is free" in screen_text(app))
        shown = " ".join(screen_text(app).replace("│", " ").split())
        for text in ("One fault", "✓ ok", "· note", "✗ fault", "[b]set[/b]", "unmute"):
            assert text in shown
        assert shown.count("keys") == 1
        await pilot.press("escape")
        assert app.screen is app.home


async def test_it_looks_again(server: Loopback) -> None:
    app = Console(server.url)
    async with app.run_test() as pilot:
        await connected(pilot, server)
        await pilot.press("d")
        await until(pilot, lambda: "Nothing keeps" in screen_text(app))
        server.report = REPORT
        await pilot.press("r")
        await until(pilot, lambda: "✗ fault" in screen_text(app))
        await pilot.press("r")
        await until(pilot, lambda: server.asked.count(("doctor", None)) == 3)
        await until(pilot, lambda: screen_text(app).count("✗ fault") == 1)


async def test_a_refusal_is_told_on_the_screen(server: Loopback) -> None:
    server.refusal = (404, "Not found", "this server has no doctor")
    app = Console(server.url)
    async with app.run_test() as pilot:
        await connected(pilot, server)
        await pilot.press("d")
        await until(pilot, lambda: "this server has no doctor" in screen_text(app))
        assert isinstance(app.screen, DoctorScreen)


async def test_a_report_that_comes_after_the_screen_was_closed_is_dropped(server: Loopback) -> None:
    app = Console(server.url)
    async with app.run_test() as pilot:
        await connected(pilot, server)
        await pilot.press("d", "escape")
        await until(pilot, lambda: ("doctor", None) in server.asked)
        await pilot.pause(0.1)
        assert app.screen is app.home


def test_the_verdict_counts_faults() -> None:
    assert verdict(REPORT) == "One fault keeps"
    two = REPORT.model_copy(update={"findings": [*REPORT.findings, REPORT.findings[-1]]})
    assert verdict(two) == "2 faults keep"
