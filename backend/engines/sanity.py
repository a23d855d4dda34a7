"""Was it said, or made up? What Whisper's own figures tell of a text. Pure.

Whisper was trained on subtitles: given noise or silence it writes what subtitles end with.
"""

import math
import re

NO_SPEECH, UNLIKELY = 0.6, -1.0
"""A text is refused over this probability of no speech and under this mean log probability:
OpenAI's own thresholds."""
DOUBT, DOUBTFUL = 0.2, -0.6
"""A phantom phrase is refused over the one or under the other."""
TWICE = 3
"""Times in a row that words are said before they are a loop."""
LONGEST_LOOP = 12
"""Words."""
PHANTOMS = frozenset({
    "amara org",
    "bye",
    "bye bye",
    "please subscribe",
    "see you in the next video",
    "see you next time",
    "so",
    "subscribe",
    "subtitles by the amara org community",
    "thank you",
    "thank you for watching",
    "thank you so much",
    "thank you so much for watching",
    "thank you very much",
    "thanks",
    "thanks for watching",
    "the end",
    "untertitel der amara org community",
    "untertitelung des zdf 2020",
    "sous titres realises par la communaute d amara org",
    "subtitulos realizados por la comunidad de amara org",
    "sottotitoli creati dalla comunita amara org",
    "you",
})  # fmt: skip
"""What Whisper hears in noise, as many of its users have reported."""

_ACCENTS = str.maketrans("éèêáàâíìóòôúùûüöäñç", "eeeaaaiiooouuuuoanc")


def fault(text: str, logprob: float, no_speech: float) -> str:
    """Return why a text isn't believed, in a word or two; an empty one if it is.

    Args:
        text: what was read.
        logprob: the mean natural log probability of its tokens.
        no_speech: the model's probability that nobody speaks, 0 to 1; NaN where it has none.

    """
    # "!" is token 0, what argmax makes of logits that are NaN.
    if not math.isfinite(logprob) or not text.strip("! "):
        return "nonsense" if text else ""
    silent = 0.0 if math.isnan(no_speech) else no_speech
    if silent > NO_SPEECH and logprob < UNLIKELY:
        return "no speech"
    if _plain(text) in PHANTOMS and (silent > DOUBT or logprob < DOUBTFUL):
        return "phantom"
    return ""


def without_loop(text: str) -> str:
    """Return the text with words that it ends with again and again said once."""
    words = text.split()
    plain = [_plain(word) for word in words]
    for size in range(1, min(LONGEST_LOOP, len(words) // TWICE) + 1):
        times = 1
        while plain[-size * (times + 1) : -size * times or None] == plain[-size:]:
            times += 1
        if times > TWICE or (times == TWICE and size > 1):
            return " ".join(words[: len(words) - size * (times - 1)])
    return text


def _plain(text: str) -> str:
    letters = text.casefold().translate(_ACCENTS)
    return " ".join(re.sub(r"[\W_]+", " ", letters).split())
