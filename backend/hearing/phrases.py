"""Does a text begin with a phrase? Matched by sound rather than letter. Pure.

Engines spell a name as they please ("Jarvis", "jarves", "john best"). Words in Latin letters are
compared by their Metaphone codes as well as by their letters, others by their letters alone. In
scripts that put no space between words every letter is taken for one.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from jellyfish import metaphone
from rapidfuzz.distance import Levenshtein

FILLERS = frozenset({"hey", "hi", "oh", "ok", "okay", "the", "a", "and", "so"})
"""What may stand before a phrase: said with it, or misheard of a breath."""
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    "\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"  # Japanese, Chinese
)
_WORD = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")


@dataclass(frozen=True, slots=True)
class Match:
    """A phrase at the beginning of a text."""

    phrase: str
    likeness: float
    """0 to 1; 1 for the very letters."""
    rest: str
    """The text after it, as it stands but for a leading comma or space."""


def least_likeness(sensitivity: float) -> float:
    """Return what a match must reach: 0.79 at a sensitivity of 0.7."""
    return 1 - 0.3 * sensitivity


def beginning(text: str, phrases: Sequence[str], sensitivity: float) -> Match | None:
    """Return the best match of a phrase with the beginning of the text, if it is good enough."""
    found = [match for phrase in phrases for match in _candidates(text, phrase)]
    best = max(found, key=lambda match: match.likeness, default=None)
    return best if best and best.likeness >= least_likeness(sensitivity) else None


def _candidates(text: str, phrase: str) -> list[Match]:
    wanted, length = _letters(phrase), len(_WORD.findall(phrase))
    # Only what may be needed is looked at: it is asked of every partial.
    found = [word for word, _ in zip(_WORD.finditer(text), range(length + 2), strict=False)]
    words = [_letters(word[0]) for word in found]
    skips = 1 + bool(words and words[0] in FILLERS and wanted not in FILLERS)
    return [
        Match(
            phrase, _likeness("".join(words[skip:end]), wanted), _rest(text[found[end - 1].end() :])
        )
        for skip in range(skips)
        for end in range(skip + max(1, length - 1), skip + length + 2)
        if end <= len(words) and wanted
    ]


def _rest(text: str) -> str:
    return text.strip().lstrip(" ,.;:!?…-\u2013\u2014、。")


def _likeness(heard: str, wanted: str) -> float:
    if heard == wanted:
        return 1.0
    letters = Levenshtein.normalized_similarity(heard, wanted)
    if not (heard.isascii() and wanted.isascii()):
        return letters
    return (letters + Levenshtein.normalized_similarity(metaphone(heard), metaphone(wanted))) / 2


def _letters(text: str) -> str:
    """Return the text's letters and digits, lower case and without accents."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in apart if letter.isalnum())
