"""Transcripts as files: plain text, Markdown, SubRip, WebVTT and JSON. Pure.

Path("talk.srt").write_text(export("srt", finals), encoding="utf-8")
"""

import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, tzinfo
from typing import NamedTuple, Protocol


class Final(Protocol):
    """What a final has to tell; a `common.events.Transcription` does."""

    @property
    def text(self) -> str: ...
    @property
    def start(self) -> float:
        """Seconds of the session's audio."""

    @property
    def end(self) -> float:
        """Seconds of the session's audio."""

    @property
    def timestamp(self) -> float:
        """Unix seconds."""

    @property
    def session_id(self) -> str | None: ...
    @property
    def confidence(self) -> float | None: ...
    @property
    def language(self) -> str | None: ...


class Cue(NamedTuple):
    """A final with its place among all of them."""

    start: float
    """Seconds from the beginning of the first session."""
    end: float
    text: str
    speaker: str
    """The session's id where there is more than one session, else empty."""
    final: Final


def cues(finals: Sequence[Final]) -> list[Cue]:
    """Return what was said, in order of time, without what turned out to be nothing.

    One session's times are those of its audio. Several are laid beside each other as they
    happened: a session began when its quickest final says so.
    """
    spoken = [(final, clean(final.text)) for final in finals]
    spoken = [(final, text) for final, text in spoken if text]
    began: dict[str | None, float] = {}
    for final, _ in spoken:
        zero = final.timestamp - final.end
        began[final.session_id] = min(zero, began.get(final.session_id, zero))
    first = min(began.values(), default=0.0)
    listed = []
    for final, text in spoken:
        offset = began[final.session_id] - first
        start = max(0.0, final.start + offset)
        end = max(start + 0.001, final.end + offset)
        speaker = clean(final.session_id or "-") if len(began) > 1 else ""
        listed.append(Cue(start, end, text, speaker, final))
    return sorted(listed, key=lambda cue: cue.start)


def clean(text: str) -> str:
    """Return the text on one line, with no code left that steers a terminal or ends a cue."""
    line = " ".join(text.split())
    if line.isprintable():
        return line
    return "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cs") else c for c in line)


def as_text(finals: Sequence[Final]) -> str:
    """Return a line an utterance."""
    return "".join(f"{_prefix(cue)}{cue.text}\n" for cue in cues(finals))


def as_markdown(finals: Sequence[Final], zone: tzinfo | None = None) -> str:
    """Return a heading a day, and under it the utterances with the time of the day.

    `zone` is where the days are counted, by default where this machine is.
    """
    return "\n".join(_markdown(cues(finals), zone))


def _markdown(listed: list[Cue], zone: tzinfo | None) -> Iterator[str]:
    yield "# Transcript\n"
    day = ""
    for cue in listed:
        at = datetime.fromtimestamp(cue.final.timestamp, zone)
        if day != (day := f"{at:%Y-%m-%d}"):
            yield f"## {day}\n"
        speaker = f" _{_escaped(cue.speaker)}_" if cue.speaker else ""
        yield f"**{at:%H:%M:%S}**{speaker} {_escaped(cue.text)}\n"


def as_srt(finals: Sequence[Final]) -> str:
    """Return SubRip subtitles: numbered from 1, a comma before the milliseconds."""
    return "\n".join(
        f"{number}\n{clock(cue.start, ',')} --> {clock(cue.end, ',')}\n{_prefix(cue)}{cue.text}\n"
        for number, cue in enumerate(cues(finals), 1)
    )


def as_vtt(finals: Sequence[Final]) -> str:
    """Return WebVTT; several sessions are its voices."""
    blocks = ["WEBVTT\n"]
    for cue in cues(finals):
        voice = f"<v {_entities(cue.speaker)}>" if cue.speaker else ""
        times = f"{clock(cue.start, '.')} --> {clock(cue.end, '.')}"
        blocks.append(f"{times}\n{voice}{_entities(cue.text)}\n")
    return "\n".join(blocks)


def as_json(finals: Sequence[Final]) -> str:
    """Return a list of objects with the fields of the wire; the text is as it was told."""
    names = ("text", "start", "end", "timestamp", "session_id", "confidence", "language")
    rows = [{name: getattr(final, name) for name in names} for final in finals if final.text]
    # A lone surrogate, which no UTF-8 file can hold, is escaped and with it all but ASCII.
    text = json.dumps(rows, indent=2, ensure_ascii=False)
    return (text if _encodes(text) else json.dumps(rows, indent=2)) + "\n"


class Format(NamedTuple):
    """A way to write a transcript."""

    title: str
    media_type: str
    write: Callable[[Sequence[Final]], str]


FORMATS: dict[str, Format] = {
    "txt": Format("Plain text", "text/plain; charset=utf-8", as_text),
    "md": Format("Markdown", "text/markdown; charset=utf-8", as_markdown),
    "srt": Format("SubRip subtitles", "application/x-subrip; charset=utf-8", as_srt),
    "vtt": Format("WebVTT subtitles", "text/vtt; charset=utf-8", as_vtt),
    "json": Format("JSON", "application/json", as_json),
}
"""Every format by its kind, which is its files' suffix, too."""


def export(kind: str, finals: Sequence[Final]) -> str:
    """Return the transcript of finals. Raises `ValueError` for a kind not in `FORMATS`."""
    if kind not in FORMATS:
        raise ValueError(f"no such kind of export: {kind!r}; there are {', '.join(FORMATS)}")
    return FORMATS[kind].write(finals)


def clock(seconds: float, point: str) -> str:
    """Return ``01:02:03,450``; `point` stands before the milliseconds."""
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02}:{minute:02}:{second:02}{point}{thousandths:03}"


def _prefix(cue: Cue) -> str:
    return f"{cue.speaker}: " if cue.speaker else ""


def _entities(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>&#~|])", r"\\\1", text)


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
