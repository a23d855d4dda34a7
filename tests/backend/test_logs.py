import json
import logging
from collections.abc import Iterator

import pytest

from backend.front import NUMBER
from backend.logs import of_session, set_up
from backend.settings import Settings

FORGED = "a/b\n2026-01-01 00:00:00 INFO    all is well\x1b[2J\u2028x"


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_what_a_client_sent_is_one_line_and_moves_no_cursor(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up(Settings())
    logging.getLogger("x").warning("no model %s", FORGED)
    (line,) = capsys.readouterr().err.splitlines()
    assert "WARNING no model a/b\\x0a2026" in line
    assert "\x1b" not in line


def test_a_trace_keeps_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    set_up(Settings())
    try:
        raise ValueError("x")
    except ValueError:
        logging.getLogger("x").exception("it failed")
    assert len(capsys.readouterr().err.splitlines()) > 2


def test_a_line_of_json_is_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    set_up(Settings(log_format="json"))
    logging.getLogger("x").warning("no model %s", FORGED)
    line = json.loads(capsys.readouterr().err)
    assert (line["level"], line["message"]) == ("WARNING", f"no model {FORGED}")


def test_a_line_names_its_request_and_its_session(capsys: pytest.CaptureFixture[str]) -> None:
    told = NUMBER.set("7f3a")
    try:
        for form in ("text", "json"):
            set_up(Settings.model_validate({"log_format": form}))
            of_session(logging.getLogger("x"), "kitchen").warning("it failed")
    finally:
        NUMBER.reset(told)
    plain, coded = capsys.readouterr().err.splitlines()
    assert plain.endswith("WARNING session kitchen: it failed [7f3a]")
    line = json.loads(coded)
    assert (line["request"], line["session"], line["message"]) == ("7f3a", "kitchen", "it failed")


def test_a_line_of_nobodys_names_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    for form in ("text", "json"):
        set_up(Settings.model_validate({"log_format": form}))
        logging.getLogger("x").warning("it failed")
    plain, coded = capsys.readouterr().err.splitlines()
    assert plain.endswith("WARNING it failed")
    assert not {"request", "session"} & json.loads(coded).keys()
