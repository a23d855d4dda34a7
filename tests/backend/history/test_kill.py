"""Killed in the middle of hundreds of commits a second: what was told is there, once."""

import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from tests.running import ROOT

ROUNDS = 8


def test_what_was_told_is_in_history_whenever_the_process_is_killed(tmp_path: Path) -> None:
    rng = random.Random(3)
    told: list[int] = []
    for _ in range(ROUNDS):
        told += _killed(tmp_path, after=rng.randrange(1, 2000))
    with closing(sqlite3.connect(tmp_path / "history.db")) as connection:
        kept = [seq for (seq,) in connection.execute("SELECT seq FROM utterances ORDER BY seq")]
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.execute("INSERT INTO spoken (spoken) VALUES ('integrity-check')")
    assert told == sorted(set(told)), "numbers grow over all lives"
    assert set(told) <= set(kept)
    assert len(told) > 100 * ROUNDS


def _killed(folder: Path, after: int) -> list[int]:
    """Return the numbers that a publisher printed before it was killed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.backend.history.publisher", str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    assert process.stdout
    with process.stdout:
        lines = [process.stdout.readline() for _ in range(after)]
        process.kill()
        lines += process.stdout.readlines()
    process.wait(10)
    return [int(line) for line in lines if line.endswith(b"\n")]
