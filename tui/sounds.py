"""Sound of this machine, to be sent to a server: its microphone, or a file.

Both give blocks of interleaved 16-bit samples. The libraries, and numpy with the one for files,
are loaded when they are first needed.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

RATE = 16_000
"""Samples a second that a microphone is asked for: what servers hear at."""
BLOCK = 0.032
"""Seconds of a microphone's block."""
WAITING = 300
"""Blocks of a microphone that may wait to be sent: ten seconds; what is more is lost."""
PIECE = 8192
"""Samples (per channel) of a file's block."""


class SoundFault(Exception):
    """There is no sound to be had. The text says why and what to do."""


class Sound(Protocol):
    """Sound on its way. Made with `microphone` or `recording`, which open it."""

    name: str
    rate: int
    """Samples a second."""
    channels: int
    seconds: float | None
    """How long it is; None for a microphone, which has no end."""
    lost: float
    """Seconds that nobody took in time."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def close(self) -> None:
        """Let go of the device or file."""


class Recording:
    """A file, read as fast as it is taken."""

    lost = 0.0

    def __init__(self, path: Path, file: Any) -> None:
        self.name = path.name
        self.rate: int = file.samplerate
        self.channels: int = file.channels
        self.seconds: float | None = file.frames / file.samplerate
        self._file = file

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while block := await asyncio.to_thread(self._read):
            yield block

    def _read(self) -> bytes:
        return bytes(self._file.buffer_read(PIECE, dtype="int16"))

    async def close(self) -> None:
        await asyncio.to_thread(self._file.close)


class Microphone:
    """The default input device; what isn't taken in time is dropped and counted."""

    name = "microphone here"
    channels = 1
    seconds: float | None = None

    def __init__(self) -> None:
        self.rate = RATE
        self.lost = 0.0
        self._blocks: asyncio.Queue[bytes | None] = asyncio.Queue(WAITING)
        self._loop = asyncio.get_running_loop()
        self._stream: Any = None

    def open(self) -> None:
        """Begin to listen; takes a moment. Raises `SoundFault`."""
        sounddevice = _sounddevice()
        fault: Exception | None = None
        for rate in (RATE, None):
            try:
                self._start(sounddevice, rate)
            except (sounddevice.PortAudioError, ValueError) as error:
                fault = error
            else:
                return
        raise SoundFault(f"no microphone can be opened here: {fault}. Is one plugged in?")

    def _start(self, sounddevice: Any, rate: int | None) -> None:
        stream = sounddevice.RawInputStream(
            samplerate=rate,
            blocksize=round((rate or 48_000) * BLOCK),
            channels=1,
            dtype="int16",
            callback=self._take,
            finished_callback=self._finish,
        )
        self.rate = round(stream.samplerate)
        stream.start()
        self._stream = stream

    def _take(self, data: Any, frames: int, time: object, status: object) -> None:
        self._post(bytes(data))

    def _finish(self) -> None:
        self._post(None)

    def _post(self, block: bytes | None) -> None:
        with suppress(RuntimeError):  # The loop may be closed, with nobody left to tell.
            self._loop.call_soon_threadsafe(self._queue, block)

    def _queue(self, block: bytes | None) -> None:
        if self._blocks.full():
            dropped = self._blocks.get_nowait()
            self.lost += len(dropped or b"") / 2 / self.rate
        self._blocks.put_nowait(block)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (block := await self._blocks.get()) is not None:
            yield block

    async def close(self) -> None:
        # `stop` waits for ever on a device that stopped delivering; `abort` doesn't.
        if self._stream:
            await asyncio.to_thread(self._stream.abort, ignore_errors=True)
            await asyncio.to_thread(self._stream.close, ignore_errors=True)


async def recording(path: Path) -> Recording:
    """Open a file: WAV, FLAC, OGG or MP3. Raises `SoundFault`."""
    return Recording(path, await asyncio.to_thread(_open, path))


async def microphone() -> Microphone:
    """Begin to listen to this machine's microphone. Raises `SoundFault`."""
    made = Microphone()
    await asyncio.to_thread(made.open)
    return made


def _open(path: Path) -> Any:
    try:
        import soundfile
    except (ImportError, OSError) as error:
        raise SoundFault(f"files need the package soundfile: {error}") from error
    try:
        return soundfile.SoundFile(path)
    except (OSError, soundfile.LibsndfileError) as error:
        raise SoundFault(f"{path} can't be read: {error}. WAV, FLAC, OGG or MP3?") from error


def _sounddevice() -> Any:
    try:
        import sounddevice
    except ImportError as error:
        raise SoundFault(f"the microphone needs the package sounddevice: {error}") from error
    except OSError as error:
        cure = "apt-get install libportaudio2" if sys.platform == "linux" else "install PortAudio"
        raise SoundFault(f"the audio system can't be had: {error}; {cure}") from error
    return sounddevice
