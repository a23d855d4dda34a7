"""Was the wake word said? Frames in, the word out, by one of several detectors.

Which one `auto` takes follows what `benchmarks.wake` measured; `choose` says why.
"""

import importlib.util
import os
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from backend.hearing import FRAME, RATE, Samples
from backend.hearing.vad import DetectorError
from common.profile import WakeWordPart

LOOK_BACK = 1.0
"""Seconds of sound from before speech was suspected that a gated detector is given."""
LINGER = 1.5
"""Seconds after the last suspicion for which it is given more: its answer comes late."""
SUSPICION = 0.1
"""`Scores.speech` from which sound is worth its while."""
KEYS = ("PORCUPINE_ACCESS_KEY", "PICOVOICE_ACCESS_KEY")
INSTALL = "pip install 'realtime-mlx-stt[wake]'"
MODELS = {
    "jarvis": "hey_jarvis",
    "hey jarvis": "hey_jarvis",
    "alexa": "alexa",
    "hey mycroft": "hey_mycroft",
    "mycroft": "hey_mycroft",
    "okay nabu": "okay_nabu",
    "ok nabu": "okay_nabu",
    "nabu": "okay_nabu",
}
"""Words and the model that answers to each, in pymicro-wakeword and in pyopen-wakeword."""


class WakeError(DetectorError):
    """A wake word can't be listened for. The text says why and how to mend it."""


@dataclass(frozen=True, slots=True)
class Spotted:
    """A wake word was said."""

    word: str
    """As the profile spells it."""
    confidence: float
    end: float
    """Seconds of sound: about where the word ended."""
    utterance: int | None
    """The utterance it was said in, if speech is in progress."""


class Spotter(Protocol):
    """One stream's detector of wake words. Not thread-safe."""

    def __call__(self, frame: Samples, speech: float) -> tuple[str, float] | None:
        """Take the next frame and its speech score; return a word just said and its score."""

    lag: float
    """Seconds by which it answers after the end of a word, about."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A detector's name and why it is this one."""

    name: str
    reason: str


def choose(part: WakeWordPart, engine: str) -> Choice:
    """Return the detector for these words.

    Args:
        part: the settings.
        engine: the name of the engine that transcribes the session.

    """
    if part.detector != "auto":
        return Choice(part.detector, "asked for by name")
    words = [word.casefold() for word in part.words]
    if access_key() and _installed("pvporcupine") and set(words) <= _porcupine_words():
        return Choice("porcupine", "auto: a Porcupine key is set and it knows these words")
    if set(words) <= set(MODELS) and _installed("pyopen_wakeword"):
        models = sorted({MODELS[word] for word in words})
        return Choice(
            "openwakeword", f"auto: it carries a model for these words ({', '.join(models)})"
        )
    if engine == "pocketsphinx" and all(word in _dictionary() for word in " ".join(words).split()):
        return Choice("pocketsphinx", "auto: the engine's dictionary can spell these words")
    return Choice("transcript", "auto: no detector carries these words; the engine reads for them")


def make(part: WakeWordPart, choice: Choice) -> Spotter | None:
    """Return a new stream's detector; None where the transcript is matched instead.

    May take 2 s. Raises `WakeError` with the cure.
    """
    match choice.name:
        case "porcupine":
            return Porcupine(part)
        case "openwakeword":
            return OpenWakeWord(part)
        case "microwakeword":
            return MicroWakeWord(part)
        case "pocketsphinx":
            return Keyphrase(part)
    return None


def access_key() -> str | None:
    """Return Picovoice's key from the environment."""
    return next((key for name in KEYS if (key := os.environ.get(name, "").strip())), None)


class Gate:
    """Lets sound through where speech is suspected, and what came just before it.

    A heavy detector so costs nothing in a quiet room.
    """

    def __init__(self) -> None:
        self._before: deque[Samples] = deque(maxlen=round(LOOK_BACK * RATE / FRAME))
        self._left = 0

    @property
    def open(self) -> bool:
        return self._left > 0

    def __call__(self, frame: Samples, speech: float) -> Iterator[Samples]:
        """Take the next frame; give those to be looked at now."""
        if speech >= SUSPICION:
            yield from self._before
            self._before.clear()
            self._left = round(LINGER * RATE / FRAME)
        if self._left:
            self._left -= 1
            yield frame
        else:
            self._before.append(frame)


class _Modeled:
    """Words that come with a model of their own."""

    lag = 0.16

    def __init__(self, part: WakeWordPart, package: str) -> None:
        if not _installed(package):
            raise WakeError(
                f"the wake-word detector {package} is not installed: {INSTALL}, or set "
                "wake_word.detector to transcript"
            )
        unknown = [word for word in part.words if word.casefold() not in MODELS]
        if unknown:
            raise WakeError(
                f"there is no model for the wake word {unknown[0]!r}, only for "
                f"{', '.join(sorted(MODELS))}: take one of these, or set wake_word.detector to "
                "transcript, which takes any word"
            )
        self._words = {MODELS[word.casefold()]: word for word in part.words}
        self._gate = Gate()
        self._rest = b""

    def _pieces(self, frame: Samples, speech: float, size: int) -> Iterator[bytes]:
        """Give the sound worth looking at in pieces of so many bytes."""
        self._rest += b"".join(one.tobytes() for one in self._gate(frame, speech))
        while len(self._rest) >= size:
            piece, self._rest = self._rest[:size], self._rest[size:]
            yield piece


class OpenWakeWord(_Modeled):
    """openWakeWord's models: a fifth of a core while somebody speaks."""

    PIECE = 2560
    """Bytes that its features take: 80 ms."""

    def __init__(self, part: WakeWordPart) -> None:
        """Load the models of the words, 2 s. Raises `WakeError`."""
        super().__init__(part, "pyopen_wakeword")
        from pyopen_wakeword import Model, OpenWakeWord, OpenWakeWordFeatures

        self.threshold = 0.93 - 0.9 * part.sensitivity
        self._features = OpenWakeWordFeatures.from_builtin()
        self._models = {name: OpenWakeWord.from_builtin(Model(name)) for name in self._words}
        # It wants eight seconds of silence before its first score.
        self._score(bytes(self.PIECE))

    def __call__(self, frame: Samples, speech: float) -> tuple[str, float] | None:
        """Take the next frame; return a word just said and its score."""
        best: tuple[str, float] | None = None
        for piece in self._pieces(frame, speech, self.PIECE):
            for name, score in self._score(piece):
                if score >= self.threshold and (best is None or score > best[1]):
                    best = (self._words[name], score)
        return best

    def _score(self, piece: bytes) -> list[tuple[str, float]]:
        return [
            (name, float(score))
            for embeddings in self._features.process_streaming(piece)
            for name, model in self._models.items()
            for score in model.process_streaming(embeddings)
        ]


class MicroWakeWord(_Modeled):
    """microWakeWord's small models: half a hundredth of a core, for the words as trained."""

    PIECE = 1024

    def __init__(self, part: WakeWordPart) -> None:
        """Load the models of the words. Raises `WakeError`."""
        super().__init__(part, "pymicro_wakeword")
        from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures, Model

        self.threshold = 0.99 - 0.3 * part.sensitivity
        self._features = MicroWakeWordFeatures()
        self._models = {name: MicroWakeWord.from_builtin(Model(name)) for name in self._words}

    def __call__(self, frame: Samples, speech: float) -> tuple[str, float] | None:
        """Take the next frame; return a word just said and its score."""
        scored = [
            (float(model.process_streaming_prob(features) or 0), self._words[name])
            for piece in self._pieces(frame, speech, self.PIECE)
            for features in self._features.process_streaming(piece)
            for name, model in self._models.items()
        ]
        score, word = max(scored, default=(0.0, ""))
        return (word, score) if score >= self.threshold else None


class Porcupine:
    """Picovoice's detector, where a key is there."""

    lag = 0.05

    def __init__(self, part: WakeWordPart) -> None:
        """Check the key, which may ask Picovoice's server. Raises `WakeError`."""
        key = access_key()
        if not key:
            raise WakeError(
                "porcupine needs a key: set PORCUPINE_ACCESS_KEY (from console.picovoice.ai), or "
                "set wake_word.detector to auto"
            )
        if not _installed("pvporcupine"):
            raise WakeError(f"porcupine is not installed: {INSTALL}")
        known = _porcupine_words()
        unknown = [word for word in part.words if word.casefold() not in known]
        if unknown:
            raise WakeError(
                f"porcupine has no model for {unknown[0]!r}, only for {', '.join(sorted(known))}"
            )
        import pvporcupine

        self._words = part.words
        try:
            self._porcupine = pvporcupine.create(
                access_key=key,
                keywords=[word.casefold() for word in part.words],
                sensitivities=[part.sensitivity] * len(part.words),
            )
        except (pvporcupine.PorcupineError, ValueError, OSError) as error:
            told = str(error).replace(key, "…").strip() or type(error).__name__
            raise WakeError(
                f"porcupine refuses: {told}; check PORCUPINE_ACCESS_KEY, or set "
                "wake_word.detector to auto without it"
            ) from None

    def __call__(self, frame: Samples, speech: float) -> tuple[str, float] | None:
        """Take the next frame; return a word just said. It gives no score: 1."""
        found = self._porcupine.process(frame)
        return (self._words[found], 1.0) if found >= 0 else None

    def __del__(self) -> None:
        if porcupine := getattr(self, "_porcupine", None):
            porcupine.delete()


class Keyphrase:
    """PocketSphinx's keyphrase spotting: any words of its dictionary."""

    lag = 0.1

    def __init__(self, part: WakeWordPart) -> None:
        """Load the acoustic model, 0.3 s. Raises `WakeError`."""
        if not _installed("pocketsphinx"):
            raise WakeError("pocketsphinx is not installed: pip install pocketsphinx")
        spoken = {word.casefold(): word for word in part.words}
        unknown = [one for one in " ".join(spoken).split() if one not in _dictionary()]
        if unknown:
            raise WakeError(
                f"pocketsphinx's dictionary can't spell {unknown[0]!r}: take another word, or set "
                "wake_word.detector to transcript"
            )
        self._words = spoken
        self._gate = Gate()
        self._deaf = True
        self._decoder = _keyphrase_decoder(list(spoken), 10 ** (-30 * part.sensitivity))

    def __call__(self, frame: Samples, speech: float) -> tuple[str, float] | None:
        """Take the next frame; return a word just said."""
        frames = list(self._gate(frame, speech))
        if not frames:
            self._stop()
            return None
        if self._deaf:  # Sound outside an utterance would end the process.
            self._decoder.start_utt()
            self._deaf = False
        for one in frames:
            self._decoder.process_raw(one.tobytes())
        guess = self._decoder.hyp()
        if not guess:
            return None
        self._stop()
        word = guess.hypstr.strip().split("  ")[0].strip()
        return self._words.get(word, self._words[next(iter(self._words))]), 1.0

    def _stop(self) -> None:
        if not self._deaf:
            self._decoder.end_utt()
            self._deaf = True


def _keyphrase_decoder(words: Sequence[str], threshold: float) -> Any:
    import tempfile

    from pocketsphinx import Decoder

    with tempfile.NamedTemporaryFile("w", suffix=".kws") as listed:
        listed.writelines(f"{word} /{threshold:.0e}/\n" for word in words)
        listed.flush()
        return Decoder(samprate=16000, loglevel="FATAL", lm=None, kws=listed.name)


def _dictionary() -> frozenset[str]:
    """Return the words that PocketSphinx can spell."""
    global _spelled
    if _spelled is None:
        from pocketsphinx import get_model_path

        path = Path(get_model_path()) / "en-us" / "cmudict-en-us.dict"
        with path.open(encoding="utf-8") as lines:
            _spelled = frozenset(line.split(maxsplit=1)[0] for line in lines if line.strip())
    return _spelled


_spelled: frozenset[str] | None = None


def _porcupine_words() -> set[str]:
    import pvporcupine

    return set(pvporcupine.KEYWORDS)


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
