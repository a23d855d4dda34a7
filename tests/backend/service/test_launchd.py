"""The property list, and what launchd is asked for."""

import plistlib
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.parsers import expat

import pytest

from backend.service import MARK, ServiceError
from backend.service.launchd import LABEL, Launchd, agent
from backend.settings import Settings

AWKWARD = {"STT_SERVER_AUTH_TOKEN": "a<b>&\"c'--]]>ä"}
KINDS: dict[str, type] = {
    "Label": str,
    "ProgramArguments": list,
    "EnvironmentVariables": dict,
    "RunAtLoad": bool,
    "KeepAlive": dict,
    "ThrottleInterval": int,
    "ExitTimeOut": int,
    "ProcessType": str,
    "LimitLoadToSessionType": str,
    "SoftResourceLimits": dict,
    "Umask": int,
    "StandardOutPath": str,
    "StandardErrorPath": str,
}
"""Every key, as launchd.plist(5) has it, and of what kind it is."""


def made(settings: Settings | None = None) -> str:
    command = ["/a b/stt-server", "serve"]
    return agent(command, AWKWARD, Path("/logs/stt.log"), settings or Settings())


def test_every_key_is_one_that_launchd_knows_and_of_its_kind() -> None:
    entries: dict[str, Any] = plistlib.loads(made().encode(), fmt=plistlib.FMT_XML)
    assert {key: type(value) for key, value in entries.items()} == KINDS
    assert entries["EnvironmentVariables"] == AWKWARD
    assert entries["ProgramArguments"] == ["/a b/stt-server", "serve"]
    assert entries["KeepAlive"] == {"SuccessfulExit": False}


def test_it_is_strict_xml_with_our_mark() -> None:
    seen: list[str] = []
    parser = expat.ParserCreate()
    parser.CommentHandler = seen.append
    parser.StartDoctypeDeclHandler = lambda name, *_: seen.append(name)
    parser.Parse(made().encode(), True)
    assert seen == ["plist", f" {MARK} "]


@pytest.mark.skipif(not shutil.which("plutil"), reason="plutil is macOS's")
def test_macos_finds_nothing_wrong_with_it(tmp_path: Path) -> None:
    file = tmp_path / "agent.plist"
    file.write_text(made())
    assert subprocess.run(["plutil", "-lint", str(file)], check=False).returncode == 0


def test_it_has_the_time_that_it_needs_to_end() -> None:
    assert plistlib.loads(made(Settings(leave_seconds=42)).encode())["ExitTimeOut"] == 47


def test_only_its_owner_may_read_what_holds_keys(tmp_path: Path) -> None:
    (file,) = Launchd(system=False, home=tmp_path).files(Settings(), AWKWARD)
    assert file.path == tmp_path / "Library/LaunchAgents" / f"{LABEL}.plist"
    assert file.mode == 0o600
    assert "********" in (file.shown or "")
    assert "]]" not in (file.shown or "")


def test_a_daemon_would_have_no_microphone() -> None:
    with pytest.raises(ServiceError, match="no microphone"):
        Launchd(system=True)
    assert "Privacy & Security → Microphone" in Launchd.advice.replace("\n", " ")


def test_one_that_runs_ends_before_it_is_started_anew(tmp_path: Path) -> None:
    asked: list[str] = []

    def run(arguments: Sequence[str]) -> int:
        asked.append(arguments[1])
        # It ends at the second look after it was told to.
        return int(arguments[1] == "list" and asked.count("list") > 2)

    keeper = Launchd(system=False, home=tmp_path, run=run)
    keeper.prepare(Settings())
    keeper.start()
    assert asked == ["list", "bootout", "list", "list", "enable", "bootstrap"]


def test_its_log_is_the_file_that_launchd_writes(tmp_path: Path) -> None:
    asked: list[list[str]] = []
    keeper = Launchd(system=False, home=tmp_path, run=lambda it: asked.append(list(it)) or 0)
    with pytest.raises(ServiceError, match="no log yet"):
        keeper.logs(5, follow=False)
    keeper.prepare(Settings())
    log = tmp_path / "Library/Logs/realtime-mlx-stt.log"
    assert log.stat().st_mode & 0o777 == 0o600
    keeper.logs(5, follow=True)
    assert asked == [["tail", "-n", "5", "-F", str(log)]]
