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
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from backend.engines.sphinx import Ear
from backend.hearing import FRAME, RATE, Samples
from backend.hearing.heard import Utterance
from backend.hearing.phrases import beginning
from backend.hearing.segmenter import Segmenter
from backend.hearing.spotters import MicroWakeWord, OpenWakeWord, Spotter, access_key
from backend.hearing.vad import make as make_vad
from backend.hearing.wake import Choice, make
from backend.waking import DEAF
from common.profile import VadPart, WakeWordPart
from tests.running import SPEECH

SENSITIVITIES = (0.3, 0.5, 0.7, 0.8, 0.9)
BOTH = "openwakeword+pocketsphinx"
WORDS = {
    BOTH: ("jarvis", "alexa"),
    "openwakeword": ("jarvis", "alexa", "mycroft", "nabu"),
    "microwakeword": ("jarvis", "alexa", "mycroft", "nabu"),
    "pocketsphinx": ("jarvis", "alexa", "computer"),
    "transcript": ("jarvis", "alexa", "computer"),
    "porcupine": ("jarvis", "alexa", "computer"),
}

KEYLESS = tuple(name for name in WORDS if name != "porcupine" or access_key())

Clip = list[tuple[Samples, float, list[Utterance]]]
"""Frames, each with its speech score and the utterances it ended."""


def heard(path: Path) -> Clip:
    """Return a clip's frames, each with its speech score and the utterances it ended."""
    hiss = np.random.default_rng(1).normal(0, 2, round(2.5 * RATE)).astype(np.int16)
    sound = soundfile.read(path, dtype="int16")[0]
    whole = np.concatenate([hiss[:RATE], sound, hiss[RATE:]])
    vad = VadPart()
    segmenter = Segmenter(make_vad(vad), vad, None)
    frames: Clip = []
    for frame in whole[: len(whole) // FRAME * FRAME].reshape(-1, FRAME):
        facts = list(segmenter.hear(frame))
        ended = [fact for fact in facts if isinstance(fact, Utterance)]
        frames.append((frame, segmenter.score, ended))
    rest = [fact for fact in segmenter.flush() if isinstance(fact, Utterance)]
    frames[-1][2].extend(rest)
    return frames


def scores(spotter: Spotter, frames: Clip) -> list[tuple[float, float]]:
    """Return when a detector said something in a clip, and its score."""
    told = [(number, spotter(frame, score)) for number, (frame, score, _) in enumerate(frames)]
    return [(number * FRAME / RATE, one[1] or 1.0) for number, one in told if one]


def hits(times: list[float]) -> int:
    """Return how often a word is told of hits at these times."""
    told, last = 0, -DEAF
    for now in sorted(times):
        told += now - last >= DEAF
        last = now
    return told


def readings(clips: dict[str, Clip]) -> dict[str, list[str]]:
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


def found_by(detector: str, word: str, clips: dict[str, Clip]) -> Iterator[dict[str, list[float]]]:
    """Yield when a detector hears the word in every clip, at each sensitivity."""
    parts = [WakeWordPart(enabled=True, words=[word], sensitivity=one) for one in SENSITIVITIES]
    spotters = [make(part, Choice(detector, "")) for part in parts]
    first = spotters[0]
    if not isinstance(first, OpenWakeWord | MicroWakeWord):
        for spotter in spotters:
            assert spotter
            yield {name: [at for at, _ in scores(spotter, one)] for name, one in clips.items()}
        return
    # Their scores are the same at every sensitivity: one pass is enough.
    thresholds = [spotter.threshold for spotter in spotters]  # type: ignore[union-attr]
    first.threshold = min(thresholds)
    scored = {name: scores(first, frames) for name, frames in clips.items()}
    for least in thresholds:
        yield {name: [at for at, score in told if score >= least] for name, told in scored.items()}


def count(
    detector: str, word: str, clips: dict[str, Clip], texts: dict[str, list[str]]
) -> Iterator[dict[str, int]]:
    """Yield the hits in every clip at each sensitivity."""
    if detector == "transcript":
        for one in SENSITIVITIES:
            yield {
                name: sum(bool(beginning(text, [word], one)) for text in read)
                for name, read in texts.items()
            }
        return
    each = [found_by(one, word, clips) for one in detector.split("+")]
    for found in zip(*each, strict=True):
        yield {name: hits([at for one in found for at in one[name]]) for name in clips}


def report(folder: Path, detectors: list[str]) -> Iterator[str]:
    """Give the table's rows."""
    told = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    clips = {clip["file"]: heard(folder / clip["file"]) for clip in told}
    said = {clip["file"]: " ".join(clip["keywords"]) for clip in told if clip["kind"] == "wakeword"}
    texts = readings(clips) if "transcript" in detectors else {}
    hours = sum(len(frames) for frames in clips.values()) * FRAME / RATE / 3600
    yield "| detector | word | " + " | ".join(f"at {one}" for one in SENSITIVITIES) + " |"
    yield "|---|---|" + "---|" * len(SENSITIVITIES)
    for detector in detectors:
        for word in WORDS[detector]:
            mine = [name for name in clips if word in said.get(name, "")]
            cells = []
            for found in count(detector, word, clips, texts):
                recall = sum(found[name] > 0 for name in mine)
                false = sum(number for name, number in found.items() if name not in mine)
                cells.append(f"{recall}/{len(mine)}, {false / hours:.0f}/h")
            yield f"| {detector} | {word} | " + " | ".join(cells) + " |"


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="How well wake words are heard.")
    parser.add_argument("--audio", type=Path, default=SPEECH)
    parser.add_argument("detectors", nargs="*", choices=[*WORDS, []], default=list(KEYLESS))
    given = parser.parse_args()
    if not (given.audio / "manifest.jsonl").is_file():
        print(f"no recordings with transcripts at {given.audio}; skipped")
        return 0
    for line in report(given.audio, given.detectors):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
