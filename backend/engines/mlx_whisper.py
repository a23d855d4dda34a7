"""Whisper on MLX, on Apple's GPU or on a CPU, as an engine: `backend.engines.whisper` reads.

In the server it works in a process of its own (`backend.engines.remote`).

Everything but `MlxWhisper.cancel` runs on one thread, since MLX's streams belong to the
thread that made them.
"""

import ctypes
import math
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from backend.engines import Audio, Crashed, EngineError, Progress, Reading, Wishes, sanity
from backend.engines.heavy import import_heavy
from backend.engines.interrupt import Interrupt
from backend.engines.models import find
from backend.engines.names import repository
from backend.engines.whisper_options import checked

if TYPE_CHECKING:
    from backend.engines.whisper import Passage

INSTALL = "pip install 'realtime-mlx-stt[mlx-cpu]'"
"""What brings the package where it isn't a plain dependency."""

RANDOM = -6.0
"""Mean log probability of greedy tokens that a trained model doesn't sink to.

Measured on silence: the tests' tiny model -1.9, random weights of its size -9.1 to -9.6.
"""


def apple_silicon() -> bool:
    """Whether MLX finds Apple's GPU here."""
    return sys.platform == "darwin" and platform.machine() == "arm64"


def installed() -> bool:
    """Whether the package is there; imports nothing."""
    return find_spec("mlx_whisper") is not None and find_spec("mlx") is not None


@dataclass(frozen=True)
class Abilities:
    """What a model reads."""

    model: str
    languages: frozenset[str] = frozenset()
    english_only: bool = False

    def check(self, wishes: Wishes) -> None:
        """Raise `EngineError` for a language or option that the model doesn't know."""
        checked(wishes.options)
        if wishes.language is not None and wishes.language not in self.languages:
            raise EngineError(f"Whisper doesn't know the language {wishes.language!r}")
        english = wishes.language in {None, "en"} and wishes.task != "translate"
        if self.english_only and not english:
            raise EngineError(f"{self.model} reads English only: take a model without .en")


class MlxWhisper:
    """Whisper, of the package mlx-whisper."""

    name = "mlx_whisper"
    eager = True

    def __init__(self, model: str, interrupt: Interrupt | None = None) -> None:
        self.model = repository(model)
        """A folder or a hub's ``owner/name``; short names such as ``base`` are spelled out."""
        self.device = "gpu" if apple_silicon() else "cpu"
        self.abilities = Abilities(self.model)
        self._interrupt = interrupt or Interrupt()
        self._path = ""
        self._whisper: Any = None

    def load(self, progress: Progress) -> None:
        """Find the weights, downloading them if need be, and get them into memory.

        Raises `EngineError`: what is missing or unreadable, and how to mend it.
        """
        if not installed():
            raise EngineError(f"mlx_whisper is not installed ({INSTALL})")
        folder = find(self.model, lambda: progress("download", 0, None))
        progress("load", 0, None)
        preload_openblas()
        import_heavy(["backend.engines.whisper"])
        import mlx.core as mx

        self.device = "gpu" if mx.default_device().type == mx.gpu else "cpu"
        self._path = str(folder)
        self._whisper = _load(folder, mx.float16 if self.device == "gpu" else mx.float32)
        self.abilities = _abilities(self.model, self._whisper.model)
        _make_stoppable(self._whisper.model, self._interrupt)

    def warm_up(self) -> None:
        """Read a second of silence. Raises `EngineError` for a model that can't be right."""
        silence = np.zeros(16_000, np.int16)
        try:
            for brief in (True, False):
                passages = self._ask("", silence, language="en", brief=brief)
        except ValueError as error:
            raise EngineError(f"{self._path} doesn't fit its config.json: {error}") from error
        if any(passage.tokens > 1 and passage.logprob < RANDOM for passage in passages):
            raise EngineError(f"{self._path} holds random weights: take a trained model")

    def partial(self, utterance: str, audio: Audio, wishes: Wishes) -> Reading:
        """Read an unfinished utterance from its beginning, greedily and without words.

        Raises `EngineError`, or `Cancelled` after `cancel`.
        """
        return self._read(utterance, audio, wishes, brief=True, words=False)

    def final(self, utterance: str, audio: Audio, wishes: Wishes) -> Reading:
        """Read a whole utterance. A translation has no words: their times would be guesses.

        Raises `EngineError`, or `Cancelled` after `cancel`.
        """
        words = wishes.words and wishes.task == "transcribe"
        return self._read(utterance, audio, wishes, brief=False, words=words)

    def cancel(self) -> None:
        """Have the call in progress raise `Cancelled` before its next evaluation."""
        self._interrupt.ask()

    def unload(self) -> None:
        """Give the memory back."""
        if self._whisper is None:
            return
        import mlx.core as mx

        self._whisper = None
        mx.clear_cache()

    def memory(self) -> int | None:
        """Return what MLX holds, the weights and what it computes with; None if not loaded."""
        if self._whisper is None:
            return None
        import mlx.core as mx

        return mx.get_active_memory()

    def _read(
        self, utterance: str, audio: Audio, wishes: Wishes, *, brief: bool, words: bool
    ) -> Reading:
        self.check(wishes)
        options = checked(wishes.options)
        heat = options.pop("temperature", None)
        if brief:
            heat = [0.0]
            options.pop("best_of", None)
        if heat is not None:
            options["temperatures"] = heat
        try:
            passages = self._ask(
                utterance,
                audio,
                language=wishes.language,
                task=wishes.task,
                prompt=wishes.prompt,
                words=words,
                brief=brief,
                **options,
            )
        except (TypeError, ValueError) as error:
            if not wishes.options:
                raise
            raise EngineError(f"mlx_whisper refused transcription.options: {error}") from error
        if not brief and any(math.isnan(passage.logprob) for passage in passages):
            raise Crashed("mlx_whisper gave no number (NaN) for a text's probability")
        return _reading(passages, detected=wishes.language is None)

    def _ask(self, utterance: str, audio: Audio, **asked: Any) -> list[Any]:
        from backend.engines.whisper import Asked

        ours = {option.name for option in fields(Asked)}
        more = {name: asked.pop(name) for name in list(asked) if name not in ours}
        self._interrupt.check()
        passages: list[Any] = self._whisper.read(utterance, audio, Asked(**asked, options=more))
        return passages

    def check(self, wishes: Wishes) -> None:
        """Raise `EngineError` for a language or option that the model doesn't know."""
        self.abilities.check(wishes)


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


def preload_openblas() -> None:
    """Have MLX on Linux find OpenBLAS before it looks: 4 to 6 GFLOPS become 100 and more."""
    if sys.platform == "linux":
        try:
            ctypes.CDLL("libopenblas.so.0", mode=ctypes.RTLD_GLOBAL)
        except OSError:
            pass  # It runs without, slowly.


def _load(folder: Path, dtype: Any) -> Any:
    from mlx.utils import tree_flatten

    from backend.engines import whisper

    try:
        loaded = whisper.load(folder, dtype)
        given = _names(folder)
    except Exception as error:  # A file can be broken in any way.
        raise EngineError(f"the model in {folder} can't be read: {error}") from error
    wanted = dict(tree_flatten(loaded.model.parameters())).keys() - {"alignment_heads"}
    missing = sorted(wanted - given)
    if missing:
        raise EngineError(f"the weights in {folder} lack {len(missing)} tensors: {missing[0]}, …")
    return loaded


def _abilities(name: str, model: Any) -> Abilities:
    from mlx_whisper.tokenizer import LANGUAGES

    return Abilities(
        model=name,
        languages=frozenset(LANGUAGES),
        english_only=not model.is_multilingual,
    )


def _names(folder: Path) -> set[str]:
    import mlx.core as mx

    file = folder / "weights.safetensors"
    weights: Any = mx.load(str(file if file.exists() else folder / "weights.npz"))
    return set(weights)


def _reading(passages: Sequence["Passage"], *, detected: bool) -> Reading:
    """Return what is believed of what was read, with its real probabilities."""
    faults = [sanity.fault(one.text, one.logprob, one.no_speech) for one in passages]
    kept = [one for one, fault in zip(passages, faults, strict=True) if not fault and one.text]
    language = passages[0].language if passages else None
    sure = passages[0].language_probability if passages and detected else None
    whole = " ".join(one.text for one in kept)
    text = sanity.without_loop(whole)
    if not text:
        refused = next(filter(None, faults), "")
        return Reading("", language=language, language_probability=sure, refused=refused)
    words = [word for one in kept for word in one.words]
    return Reading(
        text=text,
        language=language,
        confidence=_confidence(kept),
        words=tuple(words[: len(words) - len(whole.split()) + len(text.split())]),
        language_probability=sure,
        refused="repetition" if text != whole else "",
    )


def _confidence(passages: Sequence["Passage"]) -> float:
    """Return the geometric mean of the tokens' probabilities."""
    tokens = sum(one.tokens for one in passages)
    total = sum(one.logprob * one.tokens for one in passages)
    return math.exp(min(0.0, total / max(1, tokens)))
