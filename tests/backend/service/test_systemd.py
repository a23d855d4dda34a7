"""The units, as systemd's own program judges them, and what systemd is asked for."""

import configparser
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from backend.service import ServiceError
from backend.service.systemd import Systemd, unit
from backend.settings import Settings

ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(not ANALYZE, reason="systemd-analyze is not installed")


class Asked:
    """Notes what would be run."""

    def __init__(self, code: int = 0) -> None:
        self.commands: list[list[str]] = []
        self._code = code

    def __call__(self, arguments: Sequence[str]) -> int:
        self.commands.append(list(arguments))
        return self._code


def told(text: str) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    return parser["Service"]


def made(*, system: bool, settings: Settings | None = None, program: str = sys.executable) -> str:
    writable = None if system else [Path("/tmp"), Path("/var/tmp")]
    arguments = [program, "-m", "backend", "serve"]
    return unit(arguments, Path("/tmp/a b/service.env"), settings or Settings(), writable)


@needs_systemd
@pytest.mark.parametrize("system", [False, True])
def test_systemd_finds_nothing_wrong_with_a_unit(tmp_path: Path, system: bool) -> None:
    awkward = tmp_path / "a b $c 50%"
    awkward.mkdir()
    program = awkward / "stt-server"
    program.symlink_to(sys.executable)
    file = tmp_path / "stt-server.service"
    file.write_text(made(system=system, program=str(program)))
    whose = [] if system else ["--user"]
    judged = subprocess.run(
        [str(ANALYZE), "verify", "--man=no", *whose, str(file)],
        env={"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (judged.returncode, judged.stdout + judged.stderr) == (0, "")


@needs_systemd
def test_systemd_finds_the_system_unit_well_protected(tmp_path: Path) -> None:
    file = tmp_path / "stt-server.service"
    file.write_text(made(system=True))
    # 10 is bare, 0 the most that there is.
    judged = subprocess.run(
        [str(ANALYZE), "security", "--offline=yes", "--threshold=30", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert judged.returncode == 0, judged.stdout + judged.stderr


@pytest.mark.parametrize("system", [False, True])
def test_a_unit_is_watched_and_has_the_time_that_it_needs_to_end(system: bool) -> None:
    service = told(made(system=system, settings=Settings(leave_seconds=42)))
    assert (service["Type"], service["WatchdogSec"]) == ("notify", "30")
    assert service["TimeoutStopSec"] == "47"
    assert service["Restart"] == "on-failure"
    assert service["NoNewPrivileges"] == "yes"
    assert service["EnvironmentFile"] == "/tmp/a b/service.env"


def test_a_unit_of_the_users_writes_only_to_the_folders_that_it_needs() -> None:
    service = told(made(system=False))
    assert service["ProtectSystem"] == "strict"
    assert service["ReadWritePaths"] == "/tmp /var/tmp -%t"
    assert "DynamicUser" not in service


def test_a_low_port_is_the_one_right_that_a_system_unit_may_need() -> None:
    assert told(made(system=True))["CapabilityBoundingSet"] == ""
    low = told(made(system=True, settings=Settings(port=443)))
    assert low["AmbientCapabilities"] == low["CapabilityBoundingSet"] == "CAP_NET_BIND_SERVICE"


@pytest.mark.parametrize("system", [False, True])
def test_no_secret_stands_in_what_everyone_may_read(tmp_path: Path, system: bool) -> None:
    keeper = Systemd(system=system, home=tmp_path)
    files = keeper.files(Settings(), {"STT_SERVER_AUTH_TOKEN": "s3cret"})
    holding = [file for file in files if "s3cret" in file.text]
    assert [file.mode for file in holding] == [0o600]
    assert all(file.shown and "s3cret" not in file.shown for file in holding)
    assert [file.path for file in files] == keeper.places()


def test_a_system_unit_refuses_folders_that_its_user_could_not_write_to(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="leave out STT_SERVER_DATA_DIR"):
        Systemd(system=True).files(Settings(), {"STT_SERVER_DATA_DIR": "/home/x"})


def test_a_machine_without_systemd_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"doesn't run systemd \(a container\?\)"):
        Systemd(system=False, booted=tmp_path / "nothing").check()


@pytest.mark.parametrize("system", [False, True])
def test_systemd_is_asked_for_the_right_things(tmp_path: Path, system: bool) -> None:
    asked = Asked()
    keeper = Systemd(system=system, home=tmp_path, run=asked, booted=tmp_path)
    keeper.start()
    keeper.stop()
    assert keeper.status() == keeper.logs(5, follow=True) == 0
    whose = [] if system else ["--user"]
    name = "stt-server.service"
    assert asked.commands == [
        ["systemctl", *whose, "daemon-reload"],
        ["systemctl", *whose, "enable", name],
        ["systemctl", *whose, "restart", name],
        ["systemctl", *whose, "disable", "--now", name],
        ["systemctl", *whose, "status", "--no-pager", name],
        ["journalctl", *whose, "--unit", name, "--lines", "5", "--follow"],
    ]


def test_what_systemd_refuses_is_told(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="systemctl --user daemon-reload failed with 1"):
        Systemd(system=False, home=tmp_path, run=Asked(1)).start()
