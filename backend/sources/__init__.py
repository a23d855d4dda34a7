"""Sources: where sound comes from. A microphone, a file, or a socket's frames."""

from typing import Protocol

from backend.hearing.ears import Inlet


class SourceError(Exception):
    """A source can't be opened or broke off. The text says why and how to mend it."""


class Source(Protocol):
    """Something that pushes blocks of sound into an inlet, from threads of its own."""

    name: str
    """``microphone``, ``file:PATH``, ``stream`` or ``upload``."""
    device: str | None
    """The input device's name, once opened."""
    rate: int
    """Samples a second of its blocks, once opened."""
    channels: int
    """Channels of its blocks, once opened."""

    def open(self) -> None:
        """Get ready: find the device or file. May block. Raises `SourceError`."""

    def start(self, inlet: Inlet) -> None:
        """Begin to push; call ``inlet.end`` after the last block. Raises `SourceError`."""

    def stop(self) -> None:
        """Push no more, and let go of the device. Returns when that is done."""
