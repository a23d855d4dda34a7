"""How well speech is noticed: WebRTC, Silero and both, on real speech, clean and in noise.

    python -m benchmarks.hearing [--audio ../shared/audio] [--sensitivity 0.6] [--shift 0]

Each clip goes through the server's own segmenter in frames of 32 ms, with a second of silence
before and 1.5 s after, clean and with the noise of a clip without speech mixed in at 10 dB SNR.
Where speech begins and ends is told by the clips' word times; of clips that have none it is only
asked whether they are heard. Then an hour of it all is heard as fast as it can be, and with
``--wake`` the wake words are. Prints tables; misses are named on stderr.
"""

import argparse
import json
import random
import resource
import statistics
import sys
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from backend.hearing import FRAME, RATE
from backend.hearing.heard import SpeechBegan, SpeechFinished, Utterance
from backend.hearing.segmenter import Segmenter
from backend.hearing.vad import make
from benchmarks import wake
from common.profile import VadPart
from tests.running import SPEECH

Sound = npt.NDArray[np.float64]

DETECTORS = ("webrtc", "silero", "combined")
BEFORE = 1.0
"""Seconds of silence before each clip."""
AFTER = 1.5
"""Seconds of silence after it."""
SNR = 10.0
"""Decibels of the speech above the noise."""


@dataclass
class Heard:
    """What a segmenter made of one sound. Times are in seconds of it."""

    began: list[float] = field(default_factory=list)
    """When each beginning was told."""
    ended: list[float] = field(default_factory=list)
    """When each end was told."""
    spans: list[tuple[float, float]] = field(default_factory=list)
    """First and last voiced frame of each utterance."""
    audio_starts: list[float] = field(default_factory=list)


@dataclass
class Tally:
    """A detector's figures in one condition."""

    clips: int = 0
    missed: list[str] = field(default_factory=list)
    late_audio: list[str] = field(default_factory=list)
    """Clips whose utterance's audio begins after the first word."""
    onsets: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    """How long after the last word its end was told, less `min_silence_duration`."""
    false_utterances: int = 0
    right: int = 0
    wrong: int = 0
    left_out: int = 0

    @property
    def f1(self) -> float:
        """Of frames: 2 right / (2 right + wrong + left out)."""
        return 2 * self.right / max(1, 2 * self.right + self.wrong + self.left_out)


def hear(sound: Sound, vad: VadPart) -> Heard:
    """Hear a sound, 1 being full scale, to its end."""
    segmenter = Segmenter(make(vad), vad, None)
    heard = Heard()
    samples = (np.clip(sound, -1, 1) * 32767).astype(np.int16)
    for place in range(0, len(samples) - FRAME + 1, FRAME):
        now = (place + FRAME) / RATE
        for fact in segmenter.hear(samples[place : place + FRAME]):
            note(heard, fact, now)
    for fact in segmenter.flush():
        note(heard, fact, len(samples) / RATE)
    return heard


def note(heard: Heard, fact: object, now: float) -> None:
    """Write a fact down."""
    match fact:
        case SpeechBegan():
            heard.began.append(now)
        case SpeechFinished():
            heard.ended.append(now)
        case Utterance():
            heard.spans.append((fact.start, fact.end))
            heard.audio_starts.append(fact.audio_start)


def padded(sound: Sound) -> Sound:
    """Return the sound with its silence around it."""
    return np.concatenate([np.zeros(round(BEFORE * RATE)), sound, np.zeros(round(AFTER * RATE))])


def noisy(sound: Sound, clip: dict[str, Any], noise: Sound) -> Sound:
    """Return the padded sound with noise under all of it, `SNR` below its speech."""
    whole = padded(sound)
    under = np.resize(noise, len(whole))
    speech_power = np.mean(speech_of(sound, clip) ** 2)
    scale = np.sqrt(speech_power / 10 ** (SNR / 10) / max(1e-12, np.mean(under**2)))
    return whole + scale * under


def speech_of(sound: Sound, clip: dict[str, Any]) -> Sound:
    """Return the sound from the first word to the last; without their times, its loud frames."""
    if is_timed(clip):
        return sound[round(clip["first_word_start"] * RATE) : round(clip["last_word_end"] * RATE)]
    frames = sound[: len(sound) // FRAME * FRAME].reshape(-1, FRAME)
    powers = np.mean(frames**2, axis=1)
    loud: Sound = frames[powers > powers.max() / 100]
    return loud


def is_timed(clip: dict[str, Any]) -> bool:
    """Whether it is known where its words are."""
    return clip.get("first_word_start") is not None


def score(tally: Tally, clip: dict[str, Any], heard: Heard, length: int, vad: VadPart) -> None:
    """Add what was heard of a clip to the tally."""
    tally.clips += 1
    if not is_timed(clip):
        if not heard.spans:
            tally.missed.append(clip["file"])
        return
    first, last = BEFORE + clip["first_word_start"], BEFORE + clip["last_word_end"]
    truth = np.zeros(length // FRAME, bool)
    truth[round(first * RATE / FRAME) : round(last * RATE / FRAME)] = True
    told = np.zeros(length // FRAME, bool)
    for start, end in heard.spans:
        told[round(start * RATE / FRAME) : round(end * RATE / FRAME)] = True
    tally.right += int(np.sum(truth & told))
    tally.wrong += int(np.sum(~truth & told))
    tally.left_out += int(np.sum(truth & ~told))
    if not any(end > first and start < last for start, end in heard.spans):
        tally.missed.append(clip["file"])
        return
    tally.onsets.append(heard.began[0] - first)
    tally.ends.append(heard.ended[-1] - last - vad.min_silence_duration)
    if heard.audio_starts[0] >= first:
        tally.late_audio.append(clip["file"])


def read(path: Path) -> Sound:
    """Return a clip's samples, 1 being full scale."""
    sound, rate = soundfile.read(path)
    if rate != RATE:
        raise SystemExit(f"{path} has {rate} samples a second, not {RATE}")
    return np.asarray(sound, np.float64)


def measure(folder: Path, vad: VadPart, shift: int) -> Iterator[tuple[str, Tally]]:
    """Yield a tally per condition; each clip has the noise `shift` places on from its own."""
    clips = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    noises = [read(folder / clip["file"]) for clip in clips if clip["kind"] == "nonspeech"]
    spoken = [clip for clip in clips if clip["kind"] in {"speech", "command"}]
    for condition in ("clean", "10 dB"):
        tally = Tally()
        for number, clip in enumerate(spoken):
            sound = read(folder / clip["file"])
            noise = noises[(number + shift) % len(noises)]
            whole = padded(sound) if condition == "clean" else noisy(sound, clip, noise)
            score(tally, clip, hear(whole, vad), len(whole), vad)
        if condition == "clean":
            tally.false_utterances = sum(len(hear(padded(noise), vad).spans) for noise in noises)
        yield condition, tally


def cost(sound: Sound, vad: VadPart) -> tuple[float, float]:
    """Return how many streams a core hears in real time, and the KiB that a silent one holds."""
    make(vad)  # The network is loaded once for all.
    began = time.process_time()
    hear(sound, vad)
    streams = len(sound) / RATE / (time.process_time() - began)
    tracemalloc.start()
    kept = []
    for _ in range(20):
        segmenter = Segmenter(make(vad), vad, None)
        for _ in range(50):
            list(segmenter.hear(np.zeros(FRAME, np.int16)))
        kept.append(segmenter)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return streams, size / len(kept) / 1024


def listen_for_hours(folder: Path, hours: float) -> str:
    """Hear speech, noise and pauses in turn for so long; return how it went."""
    clips = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    order, vad = random.Random(1), VadPart()
    segmenter, frames, utterances, longest = Segmenter(make(vad), vad, None), 0, 0, 0.0
    memory: list[float] = []
    while frames * FRAME / RATE < hours * 3600:
        sound = in_a_room(read(folder / order.choice(clips)["file"]), order.uniform(1, 30))
        for frame in sound[: len(sound) // FRAME * FRAME].reshape(-1, FRAME):
            for fact in segmenter.hear(frame):
                if isinstance(fact, Utterance):
                    utterances, longest = utterances + 1, max(longest, fact.end - fact.start)
            frames += 1
        memory.append(most_memory())
    return (
        f"{frames * FRAME / RATE / 3600:.2f} h of speech, noise and pauses: {utterances} "
        f"utterances, the longest {longest:.1f} s; at the end "
        f"{'somebody speaks still' if segmenter.speaking else 'nobody speaks'}; memory "
        f"{memory[len(memory) // 6]:.1f} MiB after a sixth of it, {memory[-1]:.1f} at the end"
    )


def in_a_room(sound: Sound, pause: float) -> npt.NDArray[np.int16]:
    """Return the sound's samples with a faint hiss under it, and seconds of hiss after it."""
    whole = np.concatenate([sound, np.zeros(round(pause * RATE))])
    hiss = np.random.default_rng(len(sound)).normal(0, 0.0003, len(whole))
    return (np.clip(whole + hiss, -1, 1) * 32767).astype(np.int16)


def most_memory() -> float:
    """Return the most MiB that this process has held."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1024 * 1024 if sys.platform == "darwin" else 1024)


def report(name: str, condition: str, tally: Tally) -> None:
    """Print a row of the table."""
    ms = [round(1000 * statistics.median(times)) for times in (tally.onsets, tally.ends)]
    false = str(tally.false_utterances) if condition == "clean" else ""
    cells = [name, condition, tally.clips, len(tally.missed), *ms, len(tally.late_audio)]
    print("| " + " | ".join(map(str, [*cells, false, f"{100 * tally.f1:.2f}"])) + " |", flush=True)
    for what, files in (("missed", tally.missed), ("late", tally.late_audio)):
        if files:
            print(f"{name}, {condition}, {what}: {', '.join(files)}", file=sys.stderr)


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="How well speech is noticed.")
    parser.add_argument("--audio", type=Path, default=SPEECH)
    parser.add_argument("--sensitivity", type=float, default=VadPart().sensitivity)
    parser.add_argument("--shift", type=int, default=0, help="other noise for each clip: 0 to 13")
    parser.add_argument("--hours", type=float, default=1.0, help="of simulated listening")
    parser.add_argument("--wake", action="store_true", help="wake words too, as benchmarks.wake")
    given = parser.parse_args()
    if not (given.audio / "manifest.jsonl").is_file():
        print(f"no recordings with transcripts at {given.audio}; skipped")
        return 0
    print(
        "| detector | sound | clips | missed | onset ms | end ms | first word cut | false | F1 % |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    costs = []
    for name in DETECTORS:
        vad = VadPart(detector_type=name, sensitivity=given.sensitivity)  # type: ignore[arg-type]
        for condition, tally in measure(given.audio, vad, given.shift):
            report(name, condition, tally)
        costs.append((name, *cost(np.random.default_rng(1).normal(0, 0.01, 60 * RATE), vad)))
    print("\n| detector | streams a core | KiB a stream |\n|---|---|---|")
    for name, streams, size in costs:
        print(f"| {name} | {streams:.0f} | {size:.0f} |")
    print(f"\n{listen_for_hours(given.audio, given.hours)}\n", flush=True)
    if given.wake:
        for line in wake.report(given.audio, list(wake.KEYLESS)):
            print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
