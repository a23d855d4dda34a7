"""How well wake words are heard: every keyless detector, every word it knows, five sensitivities.

    python -m benchmarks.wake [--audio ../shared/audio] [DETECTOR ...]

Each clip is heard as the server hears it, with a second of faint hiss before and 1.5 s after.
Recall is over the clips in which the word is said; a false alarm is a hit in any other sound,
told per hour of all of it. ``transcript`` reads with the embedded engine. Porcupine is among
them where PORCUPINE_ACCESS_KEY is set. Prints a table.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from backend.engines.sphinx import Ear
from backend.hearing import FRAME, RATE, Samples
from backend.hearing.phrases import beginning
from backend.hearing.segmenter import Segmenter, Utterance
from backend.hearing.vad import make as make_vad
from backend.hearing.wake import Choice, Spotter, access_key, make
from backend.waking import DEAF
from common.profile import VadPart, WakeWordPart
from tests.running import SPEECH

SENSITIVITIES = (0.3, 0.5, 0.7, 0.8, 0.9)
WORDS = {
    "openwakeword": ("jarvis", "alexa", "mycroft", "nabu"),
    "microwakeword": ("jarvis", "alexa", "mycroft", "nabu"),
    "pocketsphinx": ("jarvis", "alexa", "computer"),
    "transcript": ("jarvis", "alexa", "computer"),
    "porcupine": ("jarvis", "alexa", "computer"),
}


def heard(path: Path) -> list[tuple[Samples, float, list[Utterance]]]:
    """Return a clip's frames, each with its speech score and the utterances it ended."""
    hiss = np.random.default_rng(1).normal(0, 2, round(2.5 * RATE)).astype(np.int16)
    sound = soundfile.read(path, dtype="int16")[0]
    whole = np.concatenate([hiss[:RATE], sound, hiss[RATE:]])
    vad = VadPart()
    segmenter = Segmenter(make_vad(vad), vad, None)
    frames = []
    for frame in whole[: len(whole) // FRAME * FRAME].reshape(-1, FRAME):
        facts = list(segmenter.hear(frame))
        ended = [fact for fact in facts if isinstance(fact, Utterance)]
        frames.append((frame, segmenter.score, ended))
    rest = [fact for fact in segmenter.flush() if isinstance(fact, Utterance)]
    frames[-1][2].extend(rest)
    return frames


def hits(spotter: Spotter, frames: list[tuple[Samples, float, list[Utterance]]]) -> int:
    """Return how often a word was told in a clip."""
    told, last = 0, -DEAF
    for number, (frame, score, _) in enumerate(frames):
        now = number * FRAME / RATE
        if spotter(frame, score):
            told += now - last >= DEAF
            last = now
    return told


def readings(clips: dict[str, Any]) -> dict[str, list[str]]:
    """Return what the embedded engine reads of every utterance."""
    ear = Ear()
    ear.load()
    return {
        name: [
            " ".join(word[0] for word in ear.final(one.audio.tobytes()))
            for _, _, ended in frames
            for one in ended
        ]
        for name, frames in clips.items()
    }


def count(
    detector: str, part: WakeWordPart, clips: dict[str, Any], texts: dict[str, list[str]]
) -> dict[str, int]:
    """Return the hits in every clip."""
    if detector == "transcript":
        return {
            name: sum(bool(beginning(text, part.words, part.sensitivity)) for text in read)
            for name, read in texts.items()
        }
    spotter = make(part, Choice(detector, ""))
    assert spotter
    return {name: hits(spotter, frames) for name, frames in clips.items()}


def report(folder: Path, detectors: list[str]) -> Iterator[str]:
    """Give the table's rows."""
    told = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    clips = {clip["file"]: heard(folder / clip["file"]) for clip in told}
    said = {clip["file"]: " ".join(clip["keywords"]) for clip in told if clip["kind"] == "wakeword"}
    texts = readings(clips) if "transcript" in detectors else {}
    hours = sum(len(frames) for frames in clips.values()) * FRAME / RATE / 3600
    yield "| detector | word | " + " | ".join(f"at {one}" for one in SENSITIVITIES) + " | CPU |"
    yield "|---|---|" + "---|" * (len(SENSITIVITIES) + 1)
    for detector in detectors:
        for word in WORDS[detector]:
            mine = [name for name in clips if word in said.get(name, "")]
            cells, began = [], time.process_time()
            for sensitivity in SENSITIVITIES:
                part = WakeWordPart(enabled=True, words=[word], sensitivity=sensitivity)
                found = count(detector, part, clips, texts)
                recall = sum(found[name] > 0 for name in mine)
                false = sum(number for name, number in found.items() if name not in mine)
                cells.append(f"{recall}/{len(mine)}, {false / hours:.0f}/h")
            share = (time.process_time() - began) / len(SENSITIVITIES) / hours / 3600
            yield f"| {detector} | {word} | " + " | ".join(cells) + f" | {100 * share:.1f} % |"


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="How well wake words are heard.")
    parser.add_argument("--audio", type=Path, default=SPEECH)
    keyless = [name for name in WORDS if name != "porcupine" or access_key()]
    parser.add_argument("detectors", nargs="*", choices=[*WORDS, []], default=keyless)
    given = parser.parse_args()
    if not (given.audio / "manifest.jsonl").is_file():
        print(f"no recordings with transcripts at {given.audio}; skipped")
        return 0
    for line in report(given.audio, given.detectors):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
