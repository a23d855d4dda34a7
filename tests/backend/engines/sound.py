"""Sound for the engines' tests: ours, and recordings that may be there."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from backend.engines import Audio

ROOT = Path(__file__).parents[3]
TINY = ROOT / "tests" / "fixtures" / "tinywhisper"
RECORDINGS = ROOT / ".." / "shared" / "audio"


def spoken(words: str) -> Audio:
    """Return the sound of one of the sentences in tests/sounds."""
    return _samples(ROOT / "tests" / "sounds" / f"{words.replace(' ', '-')}.flac")


def silence(seconds: float) -> Audio:
    return np.zeros(int(seconds * 16_000), np.int16)


def recording(name: str) -> Audio:
    """Return a recording of real speech, or skip the test."""
    path = RECORDINGS / f"{name}.flac"
    if not path.is_file():
        pytest.skip("the recordings in ../shared/audio are not here")
    return _samples(path)


def transcript(name: str) -> str:
    rows: list[dict[str, Any]] = [
        json.loads(line) for line in (RECORDINGS / "manifest.jsonl").read_text().splitlines()
    ]
    return next(str(row["transcript"]) for row in rows if row["file"] == f"{name}.flac")


def _samples(path: Path) -> Audio:
    samples, rate = soundfile.read(path, dtype="int16")
    assert rate == 16_000
    assert samples.ndim == 1
    return np.asarray(samples, np.int16)
