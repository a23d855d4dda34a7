"""What the tests' tiny Whisper reads, by our engine and by stock ``mlx_whisper.transcribe``.

    python -m benchmarks.fixture [--model tests/fixtures/tinywhisper] [--clips 60]

espeak-ng says sentences in voices that training never heard, the same ones in every run: as they
are, ten words long, after 3 s of silence, and with prompts. Prints the word error rates of both,
how many words our engine placed within 0.2 s of where espeak-ng begins them, and the languages
detected. Then the clips of nonspeech: the server's own segmenter and engine are to make no final
of them. Fails if ours is more than 2 points above stock, or a final comes of nonspeech.
"""

import argparse
import json
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from backend.engines import RATE, Audio, Reading, Wishes
from backend.engines.mlx_whisper import MlxWhisper
from benchmarks.accuracy import errors
from benchmarks.engine import utterances
from tests.fixtures.train import speech
from tests.running import SPEECH, TINY

MOST_ABOVE = 2.0
"""Points that our word error rate may be above stock's."""
NEAR = 0.2
"""Seconds."""
STRANGE = "Kubernetes, Grafana and Prometheus: a talk by Dr. Ångström."


@dataclass(frozen=True)
class Case:
    """A way to ask."""

    name: str
    lead: float = 0.3
    """Seconds of silence before the words."""
    words: tuple[int, int] = (1, 12)
    prompt: str | None = None


CASES = (
    Case("1 to 12 words"),
    Case("10 words", words=(10, 10)),
    Case("after 3 s of silence", lead=3.0),
    Case("prompt: other words", prompt="please stop the test now. hello world, good morning"),
    Case("prompt: unknown words", prompt=STRANGE),
)


@dataclass
class Score:
    """Errors and words of a case."""

    clips: int = 0
    words: int = 0
    ours: int = 0
    stock: int = 0
    placed: int = 0
    near: int = 0
    languages: list[str] = field(default_factory=list)


def spoken(case: Case, count: int) -> Iterator[tuple[speech.Clip, Audio]]:
    """Yield clips by voices that training never heard, and their sound with silence around."""
    chance = random.Random(f"unheard {case.name}")
    least, most = case.words
    while count:
        words = speech.sentence(chance)
        if not least <= len(words) <= most:
            continue
        count -= 1
        clip = speech.say(words, speech.voice(chance, heard=False))
        edges = (int(case.lead * RATE), int(0.5 * RATE))
        yield clip, np.pad(clip.samples, edges)


def stock(audio: Audio, model: str, prompt: str | None) -> list[str]:
    """Return what the package's own function reads."""
    import mlx.core as mx
    from mlx_whisper import transcribe

    result: dict[str, Any] = transcribe(
        audio.astype(np.float32) / 32768,
        path_or_hf_repo=model,
        language="en",
        initial_prompt=prompt,
        fp16=mx.default_device().type == mx.gpu,
        verbose=None,
    )
    return str(result["text"]).split()


def score(engine: MlxWhisper, case: Case, count: int) -> Score:
    """Have both read the clips of a case."""
    total = Score()
    for number, (clip, audio) in enumerate(spoken(case, count)):
        name, said = f"{case.name} {number}", list(clip.words)
        wishes = Wishes(language="en", prompt=case.prompt, words=True)
        reading = engine.final(name, audio, wishes)
        total.clips += 1
        total.words += len(said)
        total.ours += errors(said, reading.text.split())
        total.stock += errors(said, stock(audio, engine.model, case.prompt))
        total.languages.append(engine.final(name, audio, Wishes()).language or "")
        if clip.starts and reading.text.split() == said:
            total.placed += len(said)
            total.near += near(clip, reading, case.lead)
    return total


def near(clip: speech.Clip, reading: Reading, lead: float) -> int:
    """Return how many words begin about where they were said."""
    pairs = zip(clip.starts, reading.words, strict=False)
    return sum(abs(lead + begin - word.start) <= NEAR for begin, word in pairs)


def compare(engine: MlxWhisper, count: int) -> list[str]:
    """Print a row a case; return what isn't as it should be."""
    faults = []
    print("| case | clips | words | WER ours | WER stock | words in place | taken for English |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for case in CASES:
        total = score(engine, case, count)
        ours, theirs = (100 * wrong / total.words for wrong in (total.ours, total.stock))
        english = total.languages.count("en")
        print(
            f"| {case.name} | {total.clips} | {total.words} | {ours:.1f} % | {theirs:.1f} % "
            f"| {100 * total.near / max(1, total.placed):.0f} % | {english} |",
            flush=True,
        )
        if ours > theirs + MOST_ABOVE:
            faults.append(f"{case.name}: {ours:.1f} % where stock has {theirs:.1f} %")
    return faults


def nonspeech(engine: MlxWhisper, folder: Path) -> list[str]:
    """Print how many finals come of clips that nobody speaks in; return them."""
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    files = [row["file"] for row in rows if row["kind"] == "nonspeech"]
    finals, whole = [], []
    for file in files:
        heard = utterances(folder / file)
        finals += [(file, engine.final(file, one, Wishes(language="en")).text) for one in heard]
        samples = soundfile.read(folder / file, dtype="int16")[0]
        whole.append((file, engine.final(file, samples, Wishes(language="en")).text))
    made = [f"{file}: {text!r}" for file, text in finals if text]
    read = [f"{file}: {text!r}" for file, text in whole if text]
    print(f"\nnonspeech: {len(files)} clips, {len(finals)} utterances, {len(made)} finals")
    print(f"read whole, without the segmenter: {len(read)} texts {', '.join(read)}")
    return made


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="What the tests' tiny Whisper reads.")
    parser.add_argument("--model", default=str(TINY), help="a folder with a model for MLX")
    parser.add_argument("--clips", type=int, default=60, help="clips of each case")
    parser.add_argument("--audio", type=Path, default=SPEECH)
    given = parser.parse_args()
    engine = MlxWhisper(given.model)
    engine.load(lambda stage, done, total: None)
    faults: list[str] = []
    if speech.installed():
        faults += compare(engine, given.clips)
    else:
        print("espeak-ng's library is missing; its voices are skipped", file=sys.stderr)
    if (given.audio / "manifest.jsonl").is_file():
        faults += nonspeech(engine, given.audio)
    else:
        print(f"no recordings at {given.audio}; skipped", file=sys.stderr)
    for fault in faults:
        print(f"fault: {fault}", file=sys.stderr)
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
