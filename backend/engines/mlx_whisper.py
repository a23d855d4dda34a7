"""Whisper on MLX: the mlx-whisper package, on Apple's GPU or on a CPU.

Everything but `MlxWhisper.cancel` runs on one thread, since MLX's streams belong to the
thread that made them. Stock `transcribe()` pads every call to 30 s; that is left as it is.
"""

import ctypes
import gc
import importlib
import inspect
import math
import platform
import sys
import threading
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from backend.engines import Audio, EngineError, Progress, Reading, SpokenWord, Wishes
from backend.engines.interrupt import Interrupt
from backend.engines.models import find, repository

INSTALL = "pip install 'realtime-mlx-stt[mlx-cpu]'"
"""What brings the package where it isn't a plain dependency."""

OURS = frozenset(
    {"path_or_hf_repo", "verbose", "fp16", "language", "task", "initial_prompt", "word_timestamps"}
)
"""Arguments of `transcribe()` that the profile has other fields for, or none."""

RANDOM = -6.0
"""Mean log probability of greedy tokens that a trained model doesn't sink to.

Measured on silence: the tests' tiny model -1.9, random weights of its size -9.1 to -9.6.
"""

_turn = threading.Lock()
"""Held by whoever uses `ModelHolder`, which is one for the whole process."""


def apple_silicon() -> bool:
    """Whether MLX finds Apple's GPU here."""
    return sys.platform == "darwin" and platform.machine() == "arm64"


def installed() -> bool:
    """Whether the package is there; imports nothing."""
    return find_spec("mlx_whisper") is not None and find_spec("mlx") is not None


class MlxWhisper:
    """Whisper through ``mlx_whisper.transcribe``."""

    name = "mlx_whisper"
    eager = True

    def __init__(self, model: str) -> None:
        self.model = repository(model)
        """A folder or a hub's ``owner/name``; short names such as ``base`` are spelled out."""
        self.device = "gpu" if apple_silicon() else "cpu"
        self._interrupt = Interrupt()
        self._path = ""
        self._weights: Any = None
        self._known_options: frozenset[str] = frozenset()

    def load(self, progress: Progress) -> None:
        """Find the weights, downloading them if need be, and get them into memory.

        Raises `EngineError`: what is missing or unreadable, and how to mend it.
        """
        if not installed():
            raise EngineError(f"mlx_whisper is not installed ({INSTALL})")
        folder = find(self.model, lambda: progress("download", 0, None))
        progress("load", 0, None)
        _preload_openblas()
        _import_package()
        import mlx.core as mx
        from mlx_whisper.decoding import DecodingOptions
        from mlx_whisper.transcribe import transcribe

        self.device = "gpu" if mx.default_device().type == mx.gpu else "cpu"
        self._known_options = frozenset(inspect.signature(transcribe).parameters) | {
            option.name for option in fields(DecodingOptions)
        }
        self._path = str(folder)
        self._weights = _load(folder, mx.float16 if self.device == "gpu" else mx.float32)
        _make_stoppable(self._weights, self._interrupt)

    def warm_up(self) -> None:
        """Read a second of silence. Raises `EngineError` for a model that can't be right."""
        try:
            result = self._transcribe(
                np.zeros(16_000, np.int16), language="en", sample_len=8, without_timestamps=True
            )
        except ValueError as error:
            raise EngineError(f"{self._path} doesn't fit its config.json: {error}") from error
        for segment in result["segments"]:
            if segment["avg_logprob"] < RANDOM:
                raise EngineError(f"{self._path} holds random weights: take a trained model")

    def partial(self, utterance: str, audio: Audio, wishes: Wishes) -> Reading:
        """Read an unfinished utterance from its beginning, greedily and without words.

        Raises `EngineError`, or `Cancelled` after `cancel`.
        """
        options = {key: value for key, value in wishes.options.items() if key != "temperature"}
        return self._read(audio, wishes, words=False, options=options)

    def final(self, utterance: str, audio: Audio, wishes: Wishes) -> Reading:
        """Read a whole utterance. A translation has no words: their times would be guesses.

        Raises `EngineError`, or `Cancelled` after `cancel`.
        """
        words = wishes.words and wishes.task == "transcribe"
        return self._read(audio, wishes, words=words, options=wishes.options)

    def cancel(self) -> None:
        """Have the call in progress raise `Cancelled` before its next evaluation."""
        self._interrupt.ask()

    def unload(self) -> None:
        """Give the memory back."""
        if self._weights is None:
            return
        import mlx.core as mx
        from mlx_whisper import audio
        from mlx_whisper.transcribe import ModelHolder

        with _turn:
            if ModelHolder.model is self._weights:
                ModelHolder.model = ModelHolder.model_path = None
            self._weights = None
            # Made on this thread, of no use to the one that loads next.
            audio.mel_filters.cache_clear()
            audio.hanning.cache_clear()
            mx.clear_cache()

    def _read(
        self, audio: Audio, wishes: Wishes, *, words: bool, options: dict[str, Any]
    ) -> Reading:
        self.check(wishes)
        asked = {
            "language": wishes.language,
            "task": wishes.task,
            "initial_prompt": wishes.prompt,
            "word_timestamps": words,
            **options,
        }
        try:
            result = self._transcribe(audio, **asked)
            if any(math.isnan(segment["avg_logprob"]) for segment in result["segments"]):
                # The rule for timestamps can leave no token possible at all.
                result = self._transcribe(audio, **{**asked, "without_timestamps": True})
        except (TypeError, ValueError, NotImplementedError) as error:
            if not options:
                raise
            raise EngineError(f"mlx_whisper refused transcription.options: {error}") from error
        return _reading(result)

    def _transcribe(self, audio: Audio, **asked: Any) -> dict[str, Any]:
        from mlx_whisper.transcribe import ModelHolder, transcribe

        settings = {"temperature": 0.0, "condition_on_previous_text": False, **asked}
        with _turn:
            self._interrupt.check()
            ModelHolder.model, ModelHolder.model_path = self._weights, self._path
            result: dict[str, Any] = transcribe(
                audio.astype(np.float32) / 32768,
                path_or_hf_repo=self._path,
                fp16=self.device == "gpu",
                verbose=None,
                **settings,
            )
        return result

    def check(self, wishes: Wishes) -> None:
        """Raise `EngineError` for a language or option that the model doesn't know."""
        from mlx_whisper.tokenizer import LANGUAGES

        for option in wishes.options:
            if option in OURS or option not in self._known_options:
                raise EngineError(f"mlx_whisper has no option {option!r} (transcription.options)")
        if wishes.language is not None and wishes.language not in LANGUAGES:
            raise EngineError(f"Whisper doesn't know the language {wishes.language!r}")
        english_only = not self._weights.is_multilingual
        if english_only and (wishes.language not in {None, "en"} or wishes.task == "translate"):
            raise EngineError(f"{self.model} reads English only: take a model without .en")


class _Stoppable:
    """A block of the model that looks at the interrupt first and computes at once.

    MLX computes lazily: without this, all blocks of the encoder would run as one.
    """

    def __init__(self, block: Any, interrupt: Interrupt) -> None:
        self._block = block
        self._interrupt = interrupt

    def __call__(self, *given: Any, **named: Any) -> Any:
        import mlx.core as mx

        self._interrupt.check()
        result = self._block(*given, **named)
        mx.eval(result[0])
        return result


def _make_stoppable(model: Any, interrupt: Interrupt) -> None:
    model.encoder.blocks = [_Stoppable(block, interrupt) for block in model.encoder.blocks]
    # Of the decoder one block a token is enough: a look a few milliseconds apart.
    model.decoder.blocks[0] = _Stoppable(model.decoder.blocks[0], interrupt)


def _preload_openblas() -> None:
    """Have MLX on Linux find OpenBLAS before it looks: 4 to 6 GFLOPS become 100 and more."""
    if sys.platform == "linux":
        try:
            ctypes.CDLL("libopenblas.so.0", mode=ctypes.RTLD_GLOBAL)
        except OSError:
            pass  # It runs without, slowly.


def _import_package() -> None:
    """Import all of the package, once, without rounds of the cycle collector.

    What it imports are tens of thousands of objects. A round over them holds the GIL, and the
    event loop with it, for 70 ms; from here on they are left out of all rounds.
    """
    if "mlx_whisper.transcribe" in sys.modules:
        return
    collecting = gc.isenabled()
    gc.disable()
    try:
        importlib.import_module("mlx_whisper.transcribe")
    finally:
        if collecting:
            gc.enable()
    gc.freeze()


def _load(folder: Path, dtype: Any) -> Any:
    from mlx.utils import tree_flatten
    from mlx_whisper.load_models import load_model

    try:
        with _turn:
            model = load_model(str(folder), dtype=dtype)
            given = _names(folder)
    except Exception as error:  # A file can be broken in any way.
        raise EngineError(f"the model in {folder} can't be read: {error}") from error
    wanted = dict(tree_flatten(model.parameters())).keys() - {"alignment_heads"}
    missing = sorted(wanted - given)
    if missing:
        raise EngineError(f"the weights in {folder} lack {len(missing)} tensors: {missing[0]}, …")
    return model


def _names(folder: Path) -> set[str]:
    import mlx.core as mx

    file = folder / "weights.safetensors"
    weights: Any = mx.load(str(file if file.exists() else folder / "weights.npz"))
    return set(weights)


def _reading(result: dict[str, Any]) -> Reading:
    """Return what is kept of transcribe()'s result: segments with text and real probabilities."""
    kept = [segment for segment in result["segments"] if _is_sane(segment)]
    language = str(result["language"])
    text = "".join(segment["text"] for segment in kept).strip()
    if not text:
        return Reading("", language=language)
    return Reading(
        text=text,
        language=language,
        confidence=_confidence(kept),
        words=tuple(_word(word) for segment in kept for word in segment.get("words", ())),
    )


def _is_sane(segment: dict[str, Any]) -> bool:
    """Whether a segment is text; "!" is token 0, what argmax makes of logits that are NaN."""
    text = segment["text"].strip()
    return bool(text.strip("!")) and math.isfinite(segment["avg_logprob"])


def _confidence(segments: list[dict[str, Any]]) -> float:
    """Return the geometric mean of the tokens' probabilities."""
    tokens = sum(len(segment["tokens"]) for segment in segments)
    total = sum(segment["avg_logprob"] * len(segment["tokens"]) for segment in segments)
    return math.exp(min(0.0, total / max(1, tokens)))


def _word(word: dict[str, Any]) -> SpokenWord:
    chance = float(word["probability"])
    return SpokenWord(
        text=str(word["word"]).strip(),
        start=float(word["start"]),
        end=float(word["end"]),
        confidence=None if math.isnan(chance) else chance,
    )
