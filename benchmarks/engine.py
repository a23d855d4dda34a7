"""Our Whisper beside stock ``mlx_whisper.transcribe``: same model, same machine, same run.

    python -m benchmarks.engine [--model tests/fixtures/tinywhisper] [--rounds 5]

For 1, 3, 5, 8 and 30 s of speech: passes of the encoder in a call, and how long a final and a
partial take as a share of the stock call (medians of interleaved rounds). Then every clip of
speech: whether finals have the same text. Then live partials, one every half second of sound:
the time to the first, how far what is stable lags behind, and rewrites after stable.
"""

import argparse
import ctypes
import statistics
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from backend.engines import RATE, Audio
from backend.engines.agreement import Agreement
from backend.hearing import FRAME
from backend.hearing.heard import Utterance
from backend.hearing.segmenter import Segmenter
from backend.hearing.vad import make
from common.profile import VadPart
from tests.running import SOUNDS, TINY

LENGTHS = (1, 3, 5, 8, 30)
STEP = 0.5
"""Seconds of sound between two partials."""


def utterances(path: Path) -> list[Audio]:
    """Return what the server's own segmenter makes of a recording, speech beginning soon."""
    samples = soundfile.read(path, dtype="int16")[0]
    vad = VadPart(pre_speech=0.5)
    segmenter = Segmenter(make(vad), vad, None)
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    facts = [fact for frame in frames for fact in segmenter.hear(frame)]
    return [one.audio for one in [*facts, *segmenter.flush()] if isinstance(one, Utterance)]


def stock(audio: Audio, model: str, half: bool) -> str:
    """Return what the package's own function reads."""
    from mlx_whisper import transcribe

    result: dict[str, Any] = transcribe(
        audio.astype(np.float32) / 32768,
        path_or_hf_repo=model,
        language="en",
        temperature=0.0,
        condition_on_previous_text=False,
        fp16=half,
        verbose=None,
    )
    return str(result["text"]).strip()


def timed(call: Any, *given: Any) -> float:
    """Return how long a call takes."""
    began = time.perf_counter()
    call(*given)
    return time.perf_counter() - began


def compare(reader: Any, model: str, half: bool, sounds: list[Audio], rounds: int) -> None:
    """Print a row a length."""
    from backend.engines.whisper import Asked

    whole = np.concatenate(sounds)
    counted = Counted(model, half)
    print("| audio | stock encodes | ours | stock s | final of stock | partial of stock |")
    print("|---|---|---|---|---|---|")
    for seconds in LENGTHS:
        audio = np.resize(whole, seconds * RATE)
        times: dict[str, list[float]] = {"stock": [], "final": [], "partial": []}
        for number in range(rounds):
            before = reader.encoded
            times["stock"].append(timed(stock, audio, model, half))
            name = f"{seconds}-{number}"
            final = Asked(language="en", temperatures=(0.0,))
            partial = Asked(language="en", temperatures=(0.0,), brief=True)
            times["final"].append(timed(reader.read, name, audio, final))
            passes = reader.encoded - before
            times["partial"].append(timed(reader.read, f"{name}p", audio, partial))
        of_stock, of_final, of_partial = (statistics.median(one) for one in times.values())
        print(
            f"| {seconds} s | {counted.passes(audio)} | {passes} | {of_stock:.2f} "
            f"| {of_final / of_stock:.2f} | {of_partial / of_stock:.2f} |",
            flush=True,
        )


class Counted:
    """Counts the encoder's passes in a stock call: language, words and all."""

    def __init__(self, model: str, half: bool) -> None:
        self._model, self._half = model, half

    def passes(self, audio: Audio) -> int:
        """Return how many passes a stock call makes that gives what ours gives."""
        from mlx_whisper import transcribe
        from mlx_whisper.whisper import AudioEncoder

        count, call = 0, AudioEncoder.__call__

        def counting(encoder: Any, mel: Any) -> Any:
            nonlocal count
            count += 1
            return call(encoder, mel)

        AudioEncoder.__call__ = counting
        try:
            transcribe(
                audio.astype(np.float32) / 32768,
                path_or_hf_repo=self._model,
                fp16=self._half,
                word_timestamps=True,
                verbose=None,
            )
        finally:
            AudioEncoder.__call__ = call
        return count


def same(reader: Any, model: str, half: bool, sounds: list[Audio]) -> None:
    """Print how many finals have the stock call's text, and those that don't."""
    from backend.engines.whisper import Asked

    asked, alike = Asked(language="en", temperatures=(0.0,)), 0
    for number, audio in enumerate(sounds):
        theirs = stock(audio, model, half)
        ours = " ".join(one.text for one in reader.read(f"s{number}", audio, asked)).strip()
        alike += ours == theirs
        if ours != theirs:
            print(f"{theirs!r} is {ours!r} to us", file=sys.stderr)
    print(f"\nfinals with the stock call's text: {alike} of {len(sounds)}")


def live(reader: Any, sounds: list[Audio]) -> None:
    """Print how partials come, were each read as soon as its sound is there."""
    from backend.engines.whisper import Asked

    firsts, lags, rewrites, revised = [], [], 0, 0
    asked = Asked(language="en", temperatures=(0.0,), brief=True)
    for number, audio in enumerate(sounds):
        agreement, stable, first = Agreement(), "", None
        for end in range(round(STEP * RATE), len(audio) + 1, round(STEP * RATE)):
            began = time.perf_counter()
            (passage,) = reader.read(f"l{number}", audio[:end], asked)
            took = time.perf_counter() - began
            text, length = agreement.update(passage.text)
            if text and first is None:
                first = took
                firsts.append(first)
            rewrites += not text[:length].startswith(stable)
            stable = text[:length]
            lags.append(len(text.split()) - len(stable.split()))
        final = reader.read(f"l{number}", audio, Asked(language="en"))[0].text
        revised += not agreement.holds(final)
    first_ms, lag = 1000 * statistics.median(firsts), statistics.mean(lags)
    print(
        f"partials every {STEP} s of sound: the first text {first_ms:.0f} ms after its sound "
        f"(median), {lag:.1f} words not yet stable (mean, {max(lags)} at most), {rewrites} "
        f"rewrites after stable; {revised} of {len(sounds)} finals contradict what was stable"
    )


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="Our Whisper beside stock mlx_whisper.")
    parser.add_argument("--model", default=str(TINY), help="a folder with a model for MLX")
    parser.add_argument("--audio", type=Path, default=SOUNDS / "demo.flac")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    if sys.platform == "linux":
        with suppress(OSError):
            ctypes.CDLL("libopenblas.so.0", mode=ctypes.RTLD_GLOBAL)
    import mlx.core as mx

    from backend.engines import whisper

    half = mx.default_device().type == mx.gpu
    reader = whisper.load(Path(given.model), mx.float16 if half else mx.float32)
    sounds = utterances(given.audio)
    compare(reader, given.model, half, sounds, given.rounds)
    same(reader, given.model, half, sounds)
    live(reader, sounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
