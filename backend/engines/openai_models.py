"""What each of OpenAI's transcription models can do, as its documentation tells. Pure.

``gpt-live-transcribe`` is the default: of the current models it alone gives text while somebody
speaks, and OpenAI shuts ``gpt-4o-transcribe``, ``gpt-4o-mini-transcribe`` and ``whisper-1`` down
on 2027-02-26. ``whisper-1`` alone gives words' times and translates.
"""

from dataclasses import dataclass

LIVE = "gpt-live-transcribe"
"""The default model."""
WHISPER = "whisper-1"
"""The default where words with times or a translation are wanted."""
OFFERED = (
    LIVE,
    "gpt-transcribe",
    "gpt-4o-transcribe",
    "gpt-4o-mini-transcribe",
    WHISPER,
)
"""The models told of; any other name is sent as it is, for servers that speak the protocol."""


@dataclass(frozen=True)
class Abilities:
    """What may be asked of a model."""

    streams: bool = True
    """Takes sound while it is spoken, in a Realtime session."""
    logprobs: bool = False
    """Tells its tokens' log probabilities."""
    verbose: bool = False
    """Is asked for ``verbose_json``: segments with their log probability, and the language."""
    words: bool = False
    """Tells words with their times."""
    translates: bool = False
    prompted: bool = True
    """Takes a prompt."""
    many_languages: bool = False
    """Takes the language as ``languages``, not ``language``."""
    for_files: str | None = None
    """The model that reads whole recordings in its stead, where it takes none."""


_KNOWN: tuple[tuple[str, Abilities], ...] = (
    (LIVE, Abilities(many_languages=True, for_files="gpt-transcribe")),
    ("gpt-realtime-whisper", Abilities(prompted=False, for_files="gpt-transcribe")),
    ("gpt-transcribe", Abilities(many_languages=True)),
    ("gpt-4o-transcribe-diarize", Abilities(streams=False, prompted=False)),
    ("gpt-4o", Abilities(logprobs=True)),
)
"""By the beginning of the name: snapshots have a date behind it."""


def abilities(model: str) -> Abilities:
    """Return what a model can do; of a name that isn't OpenAI's, what is safe to ask."""
    for name, known in _KNOWN:
        if model.startswith(name):
            return known
    if "whisper" in model.casefold():
        return Abilities(streams=False, verbose=True, words=True, translates=True)
    return Abilities(words=True)


_LANGUAGES = (
    "afrikaans af arabic ar armenian hy azerbaijani az belarusian be bosnian bs bulgarian bg "
    "catalan ca chinese zh croatian hr czech cs danish da dutch nl english en estonian et "
    "finnish fi french fr galician gl german de greek el hebrew he hindi hi hungarian hu "
    "icelandic is indonesian id italian it japanese ja kannada kn kazakh kk korean ko latvian lv "
    "lithuanian lt macedonian mk malay ms maori mi marathi mr nepali ne norwegian no persian fa "
    "polish pl portuguese pt romanian ro russian ru serbian sr slovak sk slovenian sl spanish es "
    "swahili sw swedish sv tagalog tl tamil ta thai th turkish tr ukrainian uk urdu ur "
    "vietnamese vi welsh cy"
)
_CODES = dict(zip(_LANGUAGES.split()[::2], _LANGUAGES.split()[1::2], strict=True))


def language_code(name: str | None) -> str | None:
    """Return the ISO 639 code of a language as whisper-1 names it, None if it isn't known."""
    if not name:
        return None
    known = _CODES.get(name.casefold())
    return known or (name if len(name) in {2, 3} and name.isalpha() else None)
