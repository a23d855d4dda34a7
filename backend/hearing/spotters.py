"""The detectors of wake words: those that bring models, PocketSphinx's keyphrases, Porcupine."""

import importlib.util
import os
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
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
RUN_UP = 0.5
"""Seconds of sound from before the beginning of speech that keyphrases are listened for in."""
LIKELY = 0.5
"""`Scores.speech` that begins speech for a keyphrase."""
REST = 0.3
"""Seconds without suspicion after which speech begins anew."""
OPENING = 1.3
"""Seconds of speech at whose beginning a keyphrase is listened for."""
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


Hit = tuple[str, float | None]
"""A word as the profile spells it, and how sure the detector is: 0 to 1, or None."""


class Spotter(Protocol):
    """One stream's detector of wake words. Not thread-safe."""

    def __call__(self, frame: Samples, speech: float) -> Hit | None:
        """Take the next frame and its speech score; return a word just said and its score.

        The score is 0 to 1, None where the detector has none.
        """

    lag: float
    """Seconds by which it answers after the end of a word, about."""


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
        if not installed(package):
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

        self.threshold = max(0.01, (1 - part.sensitivity) ** 1.5)
        self._features = OpenWakeWordFeatures.from_builtin()
        self._models = {name: OpenWakeWord.from_builtin(Model(name)) for name in self._words}
        # It wants eight seconds of silence before its first score.
        self._score(bytes(self.PIECE))

    def __call__(self, frame: Samples, speech: float) -> Hit | None:
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

    def __call__(self, frame: Samples, speech: float) -> Hit | None:
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
        if not installed("pvporcupine"):
            raise WakeError(f"porcupine is not installed: {INSTALL}")
        known = porcupine_words()
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

    def __call__(self, frame: Samples, speech: float) -> Hit | None:
        """Take the next frame; return a word just said. It gives no score."""
        found = self._porcupine.process(frame)
        return (self._words[found], None) if found >= 0 else None

    def __del__(self) -> None:
        if porcupine := getattr(self, "_porcupine", None):
            porcupine.delete()


class Keyphrase:
    """PocketSphinx's keyphrase spotting: words of its dictionary, or spelled in the profile.

    Heard at the beginning of speech only: amid a sentence it finds its words everywhere.
    """

    lag = 0.1

    def __init__(self, part: WakeWordPart) -> None:
        """Load the acoustic model, 0.3 s. Raises `WakeError`."""
        if not installed("pocketsphinx"):
            raise WakeError("pocketsphinx is not installed: pip install pocketsphinx")
        self._words = {word.casefold(): word for word in part.words}
        spelled = {word.casefold(): phones for word, phones in part.pronunciations.items()}
        for one in " ".join(self._words).split():
            if one not in spelled and one not in dictionary():
                raise WakeError(
                    f"pocketsphinx's dictionary can't spell {one!r}: give its phones in "
                    "wake_word.pronunciations, take another word, or set wake_word.detector to "
                    "transcript"
                )
        # Phrases are told apart from chance by odds: the exponent was measured.
        self._decoder = _decoder(list(self._words), spelled, 10 ** (-40 * part.sensitivity**4))
        self._before: deque[Samples] = deque(maxlen=_frames(RUN_UP))
        self._quiet = _frames(REST)
        self._left = 0

    def __call__(self, frame: Samples, speech: float) -> Hit | None:
        """Take the next frame; return a word just said. It gives no score."""
        suspected = speech >= LIKELY
        begins = suspected and self._quiet >= _frames(REST)
        self._quiet = 0 if suspected else self._quiet + 1
        if begins:
            self._end()
            self._decoder.start_utt()
            self._left = _frames(OPENING)
            for one in self._before:
                self._decoder.process_raw(one.tobytes())
        self._before.append(frame)
        return self._look(frame) if self._left else None

    def _look(self, frame: Samples) -> Hit | None:
        self._decoder.process_raw(frame.tobytes())
        self._left -= 1
        guess = self._decoder.hyp()
        if guess or not self._left:
            self._end(ended=not self._left)
        if not guess:
            return None
        word = guess.hypstr.strip().split("  ")[0].strip()
        return self._words.get(word, next(iter(self._words.values()))), None

    def _end(self, *, ended: bool = False) -> None:
        if self._left or ended:
            self._decoder.end_utt()
            self._left = 0


class Either:
    """Several detectors at once: whoever hears the word."""

    def __init__(self, spotters: Sequence[Spotter]) -> None:
        """Take them in the order in which they are believed."""
        self._spotters = spotters
        self.lag = spotters[0].lag

    def __call__(self, frame: Samples, speech: float) -> Hit | None:
        """Take the next frame; return a word just said, as the first that heard it tells it."""
        heard = [(spotter, spotter(frame, speech)) for spotter in self._spotters]
        for spotter, hit in heard:
            if hit:
                self.lag = spotter.lag
                return hit
        return None


def access_key() -> str | None:
    """Return Picovoice's key from the environment."""
    return next((key for name in KEYS if (key := os.environ.get(name, "").strip())), None)


def _frames(seconds: float) -> int:
    return round(seconds * RATE / FRAME)


def _decoder(words: Sequence[str], spelled: dict[str, str], threshold: float) -> Any:
    from pocketsphinx import Decoder

    decoder = Decoder(samprate=16000, loglevel="FATAL", lm=None)
    for word, phones in spelled.items():
        decoder.add_word(word, phones, True)
    with tempfile.NamedTemporaryFile("w", suffix=".kws") as listed:
        listed.writelines(f"{word} /{threshold:.0e}/\n" for word in words)
        listed.flush()
        decoder.add_kws("wake", listed.name)
    decoder.activate_search("wake")
    return decoder


def dictionary() -> frozenset[str]:
    """Return the words that PocketSphinx can spell."""
    global _spelled
    if _spelled is None:
        from pocketsphinx import get_model_path

        path = Path(get_model_path()) / "en-us" / "cmudict-en-us.dict"
        with path.open(encoding="utf-8") as lines:
            _spelled = frozenset(line.split(maxsplit=1)[0] for line in lines if line.strip())
    return _spelled


_spelled: frozenset[str] | None = None


def porcupine_words() -> set[str]:
    """Return the words that Porcupine carries models for."""
    import pvporcupine

    return set(pvporcupine.KEYWORDS)


def installed(*packages: str) -> bool:
    """Whether packages are there; imports nothing."""
    return all(importlib.util.find_spec(package) for package in packages)
