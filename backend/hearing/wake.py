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

JARVIS = frozenset({"jarvis", "hey jarvis"})
JARVIS_BY = ("openwakeword", "pocketsphinx")
"""What hears "jarvis" best together; microWakeWord is the best of the other words."""


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
    if set(words) <= set(MODELS) and installed("pyopen_wakeword", "pymicro_wakeword"):
        models = ", ".join(sorted({MODELS[word] for word in words}))
        names = [*JARVIS_BY] if JARVIS & set(words) else []
        names += ["microwakeword"] if set(words) - JARVIS else []
        return Choice("+".join(names), f"auto: what hears these words best (models: {models})")
    if engine == "pocketsphinx" and can_spell:
        return Choice("pocketsphinx", "auto: the engine's dictionary can spell these words")
    return Choice("transcript", "auto: no detector carries these words; the engine reads for them")


def make(part: WakeWordPart, choice: Choice) -> Spotter | None:
    """Return a new stream's detector; None where the transcript is matched instead.

    May take 2 s. Raises `WakeError` with the cure.
    """
    if choice.name == "transcript":
        return None
    names = choice.name.split("+")
    if len(names) == 1:
        return MAKERS[choice.name](part)
    return Either([MAKERS[name](_share(part, name)) for name in names])


def _share(part: WakeWordPart, name: str) -> WakeWordPart:
    """Return the settings with the words that one of several detectors listens for."""
    words = [word for word in part.words if (word.casefold() in JARVIS) == (name in JARVIS_BY)]
    return part.model_copy(update={"words": words})
