"""Installing and removing, with a stand-in for the system that only notes what it is asked."""

import sys
from pathlib import Path

import pytest

from backend.__main__ import main
from backend.service import MARK, ServiceError
from backend.service.command import install, uninstall
from backend.service.systemd import Systemd
from backend.settings import Settings
from tests.backend.service.test_systemd import Asked

linux = pytest.mark.skipif(sys.platform != "linux", reason="what Linux is told")


def yes(question: str) -> bool:
    return True


def no(question: str) -> bool:
    return False


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "models"))
    return Settings(data_dir=tmp_path / "data", profiles_dir=tmp_path / "profiles")


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def keeper(tmp_path: Path, asked: Asked) -> Systemd:
    return Systemd(system=False, home=tmp_path, run=asked, booted=tmp_path)


def put(keeper: Systemd, settings: Settings, sure: object = no) -> None:
    files = keeper.files(settings, {"STT_SERVER_AUTH_TOKEN": "s3cret"})
    install(keeper, files, settings, sure)  # type: ignore[arg-type]


def test_what_is_installed_can_be_installed_again_and_removed(
    keeper: Systemd, settings: Settings, asked: Asked, capsys: pytest.CaptureFixture[str]
) -> None:
    put(keeper, settings)
    put(keeper, settings)
    modes = [path.stat().st_mode & 0o777 for path in keeper.places()]
    assert modes == [0o644, 0o600]
    assert settings.data_dir.is_dir()
    uninstall(keeper, no)
    assert not any(path.exists() for path in keeper.places())
    assert settings.data_dir.is_dir()
    assert asked.commands[-1][-1] == "daemon-reload"
    assert "enable-linger" in (out := capsys.readouterr().out)
    assert "s3cret" not in out


def test_a_unit_that_is_not_ours_is_left_alone(
    keeper: Systemd, settings: Settings, asked: Asked
) -> None:
    theirs = keeper.places()[0]
    theirs.parent.mkdir(parents=True)
    theirs.write_text("[Service]\nExecStart=/bin/true\n")
    for action in (lambda: put(keeper, settings), lambda: uninstall(keeper, no)):
        with pytest.raises(ServiceError, match="not written by this program; --force"):
            action()
    assert "/bin/true" in theirs.read_text()
    assert not keeper.places()[1].exists()
    assert asked.commands == []
    put(keeper, settings, yes)
    assert MARK in theirs.read_text()


def test_nothing_to_remove_is_told(keeper: Systemd) -> None:
    with pytest.raises(ServiceError, match="no service is installed"):
        uninstall(keeper, yes)


@linux
def test_a_dry_run_prints_all_but_secrets_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("STT_SERVER_AUTH_TOKEN", "s3cret")
    assert main(["service", "install", "--dry-run", "--port", "8001"]) == 0
    out = capsys.readouterr().out
    assert "Type=notify" in out
    assert 'STT_SERVER_PORT="8001"' in out
    assert "s3cret" not in out
    assert not list(tmp_path.iterdir())


@linux
@pytest.mark.parametrize("action", ["install", "uninstall", "status", "logs"])
def test_without_systemd_every_action_says_so(
    action: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if Path("/run/systemd/system").is_dir():
        pytest.skip("this machine runs systemd")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert main(["service", action]) == 1
    assert "doesn't run systemd" in capsys.readouterr().err


def test_settings_that_cannot_be_are_refused_before_anything_is_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["service", "install", "--host", "0.0.0.0"]) == 2
    assert "without a token" in capsys.readouterr().err
