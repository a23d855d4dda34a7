"""What is understood of real speech: word error rates, live and of whole recordings.

    python -m benchmarks.accuracy [--engine pocketsphinx] [--audio ../shared/audio]

A real server hears every English clip whose transcript is fit for scoring, through
``/api/v1/audio`` as fast as it takes the sound in, and through ``/transcribe``. Clips without
speech must stay without words. Prints a table per group and fails if a clip yielded nothing.
"""

import argparse
import asyncio
import json
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import soundfile

from common.client import Client
from common.events import Error, SessionStopped, Transcription
from tests.running import SPEECH, running

FIT = ("human reference", "corpus prompt text", "repo test assertion")
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
NUMBERS = {str(number): word for number, word in enumerate(DIGITS)}


@dataclass
class Tally:
    """Errors and words of a group of clips."""

    clips: int = 0
    words: int = 0
    live: int = 0
    whole: int = 0
    finals: int = 0
    silent: list[str] = field(default_factory=list)


def normal(text: str) -> list[str]:
    """Return the words that are compared: lower case, no punctuation, digits spelled out."""
    text = re.sub(r"[^a-z0-9' ]+", " ", text.lower().replace("\u2019", "'"))
    return [NUMBERS.get(word, word) for word in text.split()]


def errors(expected: list[str], heard: list[str]) -> int:
    """Return the fewest substitutions, insertions and deletions between them (Levenshtein)."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(expected, 1):
        previous, row[0] = row[0], i
        for j, other in enumerate(heard, 1):
            best = min(row[j] + 1, row[j - 1] + 1, previous + (word != other))
            previous, row[j] = row[j], best
    return row[-1]


@asynccontextmanager
async def serving(engine: dict[str, Any]) -> AsyncIterator[Client]:
    """A client of a server whose default profile has the engine."""
    with tempfile.TemporaryDirectory() as folder:
        profile = {"transcription": {**engine, "partials": False}}
        (Path(folder) / "measured.json").write_text(json.dumps(profile))
        environment = {
            "STT_SERVER_PROFILES_DIR": folder,
            "STT_SERVER_DEFAULT_PROFILE": "measured",
        }
        with running(environment=environment) as server:
            async with Client(server.url) as client:
                yield client


async def live(client: Client, path: Path) -> list[str]:
    """Return the finals of a clip streamed in frames of 32 ms, then stopped."""
    samples, rate = soundfile.read(path, dtype="int16")
    sound = samples.tobytes()
    async with client.audio(sample_rate=rate) as upload:
        for start in range(0, len(sound), 1024):
            await upload.send(sound[start : start + 1024])
        await upload.stop()
        events = [event async for event in upload]
    assert isinstance(events[-1], SessionStopped)
    for event in events:
        assert not isinstance(event, Error), event.details
    return [e.text for e in events if isinstance(e, Transcription) and e.is_final]


async def measure(folder: Path, engine: dict[str, Any]) -> dict[str, Tally]:
    """Return a tally per kind of clip."""
    clips = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    tallies: dict[str, Tally] = defaultdict(Tally)
    async with serving(engine) as client:
        for clip in clips:
            if clip["kind"] == "nonspeech":
                tally = tallies["nonspeech"]
                finals = await live(client, folder / clip["file"])
            elif clip["language"] == "en" and clip["transcript_quality"].startswith(FIT):
                tally = tallies[clip["kind"]]
                finals = await score(client, folder / clip["file"], clip, tally)
            else:
                continue
            tally.clips += 1
            tally.finals += len(finals)
            if not finals:
                tally.silent.append(clip["file"])
            print(f"{clip['file']:32} {' | '.join(finals)}", file=sys.stderr)
    return tallies


async def score(client: Client, path: Path, clip: dict[str, Any], tally: Tally) -> list[str]:
    """Add a clip's errors to its tally; return its live finals."""
    finals = await live(client, path)
    whole = await client.transcribe(path)
    expected = normal(clip["transcript"])
    tally.words += len(expected)
    tally.live += errors(expected, normal(" ".join(finals)))
    tally.whole += errors(expected, normal(whole.text))
    return finals


def report(tallies: dict[str, Tally]) -> int:
    """Print the table; return 1 if a clip of speech was not heard at all."""
    print("| group | clips | words | finals | clips without a final | WER live | WER whole |")
    print("|---|---|---|---|---|---|---|")
    spoken = [tally for kind, tally in tallies.items() if kind != "nonspeech"]
    total = Tally(
        *(
            sum(getattr(t, n) for t in spoken)
            for n in ("clips", "words", "live", "whole", "finals")
        ),
        [name for tally in spoken for name in tally.silent],
    )
    for kind, tally in [*tallies.items(), ("all speech", total)]:
        rates = [f"{100 * e / tally.words:.1f} %" for e in (tally.live, tally.whole) if tally.words]
        left = len(tally.silent)
        cells = [kind, tally.clips, tally.words, tally.finals, left, *(rates or ["", ""])]
        print("| " + " | ".join(map(str, cells)) + " |")
    if total.silent:
        print(f"nothing was heard of: {', '.join(total.silent)}")
    return int(bool(total.silent))


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="Word error rates on real speech.")
    parser.add_argument("--engine", default="pocketsphinx")
    parser.add_argument("--model")
    parser.add_argument("--audio", type=Path, default=SPEECH)
    given = parser.parse_args()
    if not (given.audio / "manifest.jsonl").is_file():
        print(f"no recordings with transcripts at {given.audio}; skipped")
        return 0
    engine = {"engine": given.engine, "model": given.model}
    return report(asyncio.run(measure(given.audio, engine)))


if __name__ == "__main__":
    sys.exit(main())
