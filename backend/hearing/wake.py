"""Was the wake word said? Frames in, the word out, by one of several detectors.

Which one `auto` takes follows what `benchmarks.wake` measured; `choose` says why.
"""

from collections.abc import Callable
from dataclasses import dataclass

from backend.hearing.spotters import (
    MODELS,
    Either,
    Keyphrase,
    MicroWakeWord,
    OpenWakeWord,
    Porcupine,
    Spotter,
    access_key,
    dictionary,
    installed,
    porcupine_words,
)
from common.profile import WakeWordPart

MAKERS: dict[str, Callable[[WakeWordPart], Spotter]] = {
    "porcupine": Porcupine,
    "openwakeword": OpenWakeWord,
    "microwakeword": MicroWakeWord,
    "pocketsphinx": Keyphrase,
}


@dataclass(frozen=True, slots=True)
class Spotted:
    """A wake word was said."""

    word: str
    """As the profile spells it."""
    confidence: float | None
    """0 to 1; None where the detector gives none."""
    end: float
    """Seconds of sound: about where the word ended."""
    utterance: int | None
    """The utterance it was said in, if speech is in progress."""


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
    spelled = dictionary() | {word.casefold() for word in part.pronunciations}
    can_spell = all(one in spelled for one in " ".join(words).split())
    if access_key() and installed("pvporcupine") and set(words) <= porcupine_words():
        return Choice("porcupine", "auto: a Porcupine key is set and it knows these words")
    if set(words) <= set(MODELS) and installed("pyopen_wakeword"):
        models = ", ".join(sorted({MODELS[word] for word in words}))
        reason = f"auto: it carries a model for these words ({models})"
        if can_spell:
            return Choice("openwakeword+pocketsphinx", f"{reason}, and two hear more than one")
        return Choice("openwakeword", reason)
    if engine == "pocketsphinx" and can_spell:
        return Choice("pocketsphinx", "auto: the engine's dictionary can spell these words")
    return Choice("transcript", "auto: no detector carries these words; the engine reads for them")


def make(part: WakeWordPart, choice: Choice) -> Spotter | None:
    """Return a new stream's detector; None where the transcript is matched instead.

    May take 2 s. Raises `WakeError` with the cure.
    """
    if choice.name == "transcript":
        return None
    spotters = [MAKERS[name](part) for name in choice.name.split("+")]
    return spotters[0] if len(spotters) == 1 else Either(spotters)
