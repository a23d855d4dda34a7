"""The doctor, asked at the command line, over REST and through the client."""

import json
import os
import subprocess
import sys
from pathlib import Path

from backend.sources.portaudio import devices
from common.client import Client
from tests.running import ROOT, Running
from tests.virtual_microphone import VirtualMicrophone


def doctor(*flags: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "backend", "doctor", *flags],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        env={**os.environ, "STT_SERVER_PORT": "0", **environment},
        check=False,
    )


def test_with_a_microphone_all_is_well(
    virtual_microphone: VirtualMicrophone, tmp_path: Path
) -> None:
    folders = {"STT_SERVER_DATA_DIR": str(tmp_path), "STT_SERVER_PROFILES_DIR": str(tmp_path)}
    asked = doctor("--json", **virtual_microphone.environment, **folders)
    report = json.loads(asked.stdout)
    assert (asked.returncode, report["healthy"]) == (0, True), asked.stdout
    levels = [one for one in report["findings"] if one["name"] == "microphone level"]
    assert "dBFS over 1 s" in levels[0]["found"]
    virtual_microphone.mute(True)
    asked = doctor(**virtual_microphone.environment, **folders)
    assert asked.returncode == 1
    told = " ".join(asked.stdout.split())
    assert "nothing but zeros: digital silence" in told
    assert "pactl set-source-mute" in told or "Microphone" in told


def test_a_bad_setting_is_told_with_everything_else() -> None:
    asked = doctor(STT_SERVER_PORT="many")
    assert asked.returncode == 1
    assert "STT_SERVER_PORT" in asked.stdout
    assert "voice activity" in asked.stdout
    assert "Traceback" not in asked.stdout + asked.stderr


def test_a_flag_is_a_setting_here_too(tmp_path: Path) -> None:
    asked = doctor("--json", "--data-dir", str(tmp_path), "--port", "many")
    findings = json.loads(asked.stdout)["findings"]
    assert "many" in findings[0]["found"]
    asked = doctor("--json", "--data-dir", str(tmp_path))
    assert str(tmp_path) in asked.stdout


async def test_a_server_tells_over_rest(client: Client, server: Running) -> None:
    report = await client.doctor()
    states = {one.name: one.state for one in report.findings}
    assert states["port"] == "ok"
    assert report.healthy == ("fault" not in states.values())
    assert (states["microphone"] == "fault") == (not devices())
