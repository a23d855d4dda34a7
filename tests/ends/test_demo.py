"""``stt-server demo`` as ``make demo`` calls it, where there is no terminal."""

import asyncio
import os
import sys
from pathlib import Path

from tests.running import ROOT

SOUNDS = ROOT / "tests" / "sounds"
TINY = ROOT / "tests" / "fixtures" / "tinywhisper"


async def demo(home: Path, file: Path) -> tuple[int, str, str]:
    """Run it; return its exit code, what it wrote, and what it complained of."""
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "backend", "demo", str(file), "--engine", "mlx_whisper"),
        *("--model", str(TINY), "--language", "en"),
        cwd=ROOT,
        env=os.environ | {"HOME": str(home), "STT_SERVER_AUTH_TOKEN": "of-another-server"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, complaints = await asyncio.wait_for(program.communicate(), 60)
    assert program.returncode is not None
    return program.returncode, out.decode(), complaints.decode()


async def test_a_recording_is_played_heard_and_the_end_of_it(tmp_path: Path) -> None:
    code, out, complaints = await demo(tmp_path, SOUNDS / "hello-world.flac")
    assert code == 0, complaints
    assert "hello world" in out
    assert "engine: mlx_whisper" in complaints
    assert not (tmp_path / ".local").exists(), "what a demo says is no history of the user's"


async def test_a_file_that_is_not_there_is_said_and_is_no_success(tmp_path: Path) -> None:
    code, out, complaints = await demo(tmp_path, tmp_path / "missing.wav")
    assert code != 0
    assert "missing.wav" in complaints
    assert "hello" not in out
