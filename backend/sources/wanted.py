"""The source that somebody asks for."""

from pathlib import Path

from backend.sources import Source
from backend.sources.file import FileSource
from backend.sources.microphone import Microphone
from backend.sources.stream import StreamSource
from common.api import AudioHello
from common.profile import AudioPart


def own(part: AudioPart) -> Source:
    """Return the source on this machine that a profile names."""
    kind, _, path = part.source.partition(":")
    if kind == "file":
        return FileSource(Path(path))
    return Microphone(part.device, part.channel)


def fed(hello: AudioHello, name: str = "stream") -> StreamSource:
    """Return the source that a client's first frame describes."""
    return StreamSource(
        rate=hello.sample_rate, channels=hello.channels, encoding=hello.encoding, name=name
    )
