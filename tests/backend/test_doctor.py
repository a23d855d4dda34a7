"""Each check of the doctor, against real conditions."""

import json
import os
import socket
from pathlib import Path

import pytest

from backend.doctor import Doctor
from backend.report import lines
from backend.settings import Settings
from backend.sound import cure
from common.api import DoctorReport, Finding
from common.events import AudioStatus
from tests.openai_loopback import openai_loopback

KEYS = ("OPENAI_API_KEY", "PORCUPINE_ACCESS_KEY", "PICOVOICE_ACCESS_KEY")


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for key in KEYS:
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


def settings(folder: Path, **given: object) -> Settings:
    base = {"profiles_dir": folder / "profiles", "data_dir": folder / "data", "port": free_port()}
    return Settings.model_validate({**base, **given})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def found(report: DoctorReport, name: str) -> list[Finding]:
    return [one for one in report.findings if one.name == name]


def state(report: DoctorReport, name: str) -> str:
    order = ("fault", "note", "ok")
    return min((one.state for one in found(report, name)), key=order.index)


def test_a_sound_machine_has_no_fault_but_the_microphone(tmp_path: Path) -> None:
    report = Doctor(settings(tmp_path)).examine()
    faults = {one.name for one in report.findings if one.state == "fault"}
    assert faults <= {"audio system", "microphone", "microphone level"}
    assert report.healthy == (not faults)
    for name in ("settings", "profiles", "voice activity", "port", "folders", "keys"):
        assert state(report, name) == "ok", found(report, name)
    assert all(one.cure for one in report.findings if one.state == "fault")


def test_the_key_is_tried_where_the_default_profile_wants_openai(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "profiles"
    folder.mkdir()
    (folder / "cloud.json").write_text(
        '{"transcription": {"engine": "openai", "fallback": "pocketsphinx"}}'
    )
    doctor = Doctor(settings(tmp_path, default_profile="cloud"))
    assert state(doctor.examine(), "engine in use") == "fault"
    with openai_loopback() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        report = doctor.examine()
        assert "accepted by 127.0.0.1" in found(report, "keys")[0].found
        assert "the fallback: pocketsphinx" in found(report, "engine in use")[1].found
        monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-key")
        (key, _) = found(doctor.examine(), "keys")
    assert (key.state, "401" in key.found, "sk-wrong" in f"{key}") == ("fault", True, False)


def test_without_a_microphone_only_who_needs_one_has_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backend import doctor
    from backend.sources import SourceError

    def none(*given: object) -> None:
        raise SourceError("there is no microphone: plug one in")

    monkeypatch.setattr(doctor, "find", none)
    report = Doctor(settings(tmp_path)).examine()
    (fault,) = found(report, "microphone")
    assert (fault.state, fault.found, fault.cure) == (
        "fault",
        "there is no microphone",
        "plug one in",
    )
    assert not report.healthy
    folder = tmp_path / "profiles"
    folder.mkdir()
    (folder / "lecture.json").write_text('{"audio": {"source": "file:talk.flac"}}')
    report = Doctor(settings(tmp_path, default_profile="lecture")).examine()
    assert state(report, "microphone") == "note"


def test_the_session_that_listens_is_asked_for_the_level(tmp_path: Path) -> None:
    heard = AudioStatus(device="x", level_dbfs=-43.5, silent=False)
    (level,) = found(Doctor(settings(tmp_path), listening=heard).examine(), "microphone level")
    assert (level.state, level.found) == ("ok", "-43.5 dBFS, as the session that listens hears it")
    silent = AudioStatus(device="x", silent=True, fault="nothing but zeros: unmute it")
    (level,) = found(Doctor(settings(tmp_path), listening=silent).examine(), "microphone level")
    assert (level.state, level.cure) == ("fault", "unmute it")


@pytest.mark.parametrize(
    ("fault", "what", "mend"),
    [
        (
            f"the microphone 'HDA Intel PCH: ALC295 (hw:0,0)' gives nothing but zeros. {cure()}",
            "the microphone 'HDA Intel PCH: ALC295 (hw:0,0)' gives nothing but zeros.",
            cure(),
        ),
        (
            "the microphone 'USB Audio: Front' is gone; waiting for it: plug it in again",
            "the microphone 'USB Audio: Front' is gone; waiting for it",
            "plug it in again",
        ),
        (
            "the microphone 'USB Audio: Front' can't be opened: Busy; is it plugged in?",
            "the microphone 'USB Audio: Front' can't be opened",
            "Busy; is it plugged in?",
        ),
        (
            "audio.device 'x' is none of the input devices (0: HDA (hw:0,0), 1: USB: Front): name",
            "audio.device 'x' is none of the input devices (0: HDA (hw:0,0), 1: USB: Front)",
            "name",
        ),
    ],
)
def test_a_device_s_name_is_not_taken_apart(
    tmp_path: Path, fault: str, what: str, mend: str
) -> None:
    heard = AudioStatus(device="x", fault=fault)
    (level,) = found(Doctor(settings(tmp_path), listening=heard).examine(), "microphone level")
    assert (level.found, level.cure) == (what, mend)


def test_a_wake_word_that_cannot_be_listened_for_is_a_fault_where_it_is_asked_for(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "profiles"
    folder.mkdir()
    wake_word = {"enabled": True, "detector": "porcupine"}
    (folder / "mine.json").write_text(json.dumps({"wake_word": wake_word}))
    report = Doctor(settings(tmp_path, default_profile="mine")).examine()
    (fault,) = found(report, "wake word")
    assert (fault.state, fault.found) == ("fault", "porcupine needs a key")
    assert "PORCUPINE_ACCESS_KEY" in (fault.cure or "")
    assert not report.healthy


def test_a_damaged_profile_is_a_note_and_a_damaged_default_a_fault(tmp_path: Path) -> None:
    folder = tmp_path / "profiles"
    folder.mkdir()
    (folder / "mine.json").write_text('{"vad": {"sensitivity": 7}}')
    report = Doctor(settings(tmp_path)).examine()
    assert state(report, "profiles") == "note"
    assert "vad.sensitivity" in found(report, "profiles")[0].found
    report = Doctor(settings(tmp_path, default_profile="mine")).examine()
    assert state(report, "profiles") == "fault"
    report = Doctor(settings(tmp_path, default_profile="nobody")).examine()
    (fault,) = [one for one in found(report, "profiles") if one.state == "fault"]
    assert "STT_SERVER_DEFAULT_PROFILE" in (fault.cure or "")


def test_a_port_is_free_or_taken_or_ours(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        (fault,) = found(Doctor(settings(tmp_path, port=port)).examine(), "port")
        assert fault.state == "fault"
        assert "STT_SERVER_PORT" in (fault.cure or "")
        (ours,) = found(Doctor(settings(tmp_path, port=port), serving=True).examine(), "port")
        assert ours.state == "ok"


@pytest.mark.skipif(os.name != "posix", reason="a folder below a file is POSIX's fault")
def test_a_folder_that_cannot_be_written_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    report = Doctor(settings(tmp_path, data_dir=tmp_path / "file" / "data")).examine()
    (fault,) = [one for one in found(report, "folders") if one.state == "fault"]
    assert "STT_SERVER_DATA_DIR" in (fault.cure or "")


def test_a_key_is_told_to_be_there_and_never_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in KEYS[:2]:
        monkeypatch.setenv(key, "secret-4711")
    report = Doctor(settings(tmp_path)).examine()
    assert [one.found for one in found(report, "keys")] == [f"{key} is set" for key in KEYS[:2]]
    assert "4711" not in report.model_dump_json()


def test_a_check_that_breaks_is_a_fault_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backend import doctor

    def broken(*given: object) -> None:
        raise RuntimeError("no such file: silero_vad.onnx")

    monkeypatch.setattr(doctor.vads, "make", broken)
    report = Doctor(settings(tmp_path)).examine()
    (fault,) = found(report, "voice activity")
    assert fault.state == "fault"
    assert "silero_vad.onnx" in fault.found
    assert found(report, "folders")


def test_models_in_the_cache_are_named_with_their_size(tmp_path: Path) -> None:
    repository = tmp_path / "hub" / "models--mlx-community--whisper-tiny"
    snapshot = repository / "snapshots" / "abc"
    for folder in (repository / "refs", repository / "blobs", snapshot):
        folder.mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc")
    (repository / "blobs" / "weights").write_bytes(bytes(2**20 * 11))
    (snapshot / "config.json").write_text("{}")
    (snapshot / "weights.npz").write_bytes(b"")
    (models,) = found(Doctor(settings(tmp_path)).examine(), "models")
    assert models.found.startswith("mlx-community/whisper-tiny (0.01 GiB)")


@pytest.mark.parametrize(("encoding", "mark"), [("utf-8", "✗"), ("ascii", "!")])
def test_the_lines_fit_the_terminal_and_its_encoding(encoding: str, mark: str) -> None:
    report = DoctorReport(
        version="1",
        healthy=False,
        findings=[
            Finding(name="port", state="fault", found="taken " * 30, cure="take another é soon"),
            Finding(name="port", state="ok", found="free"),
        ],
    )
    told = list(lines(report, 60, encoding))
    assert all(len(line) <= 60 for line in told)
    assert told[0].startswith(f"{mark} fault  port")
    assert "\n".join(told).count("port") == 1
    assert told[-1] == "one fault: see above"
    "\n".join(told).encode(encoding)
