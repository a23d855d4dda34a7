"""A file as a source, heard as if somebody played it, or as fast as it can be."""

import re
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backend.hearing import Block
from backend.hearing.ears import Inlet
from backend.sources import SourceError, finite

if TYPE_CHECKING:
    from soundfile import SoundFile

BLOCK = 0.05
"""Seconds of sound read at a time."""
BROKEN_OFF = re.compile(
    r"(?:data|SSND) *: *(\d+) \(should be (\d+)|lacks an end-of-stream|ended unexpectedly"
)
"""What libsndfile notes, in passing, of a file shorter than it says."""
NEVER_TOLD = 0x7FFF_0000
"""Bytes: from here on a length is what programs write that can't go back to correct it."""
NO_LENGTH = 2**63 - 1
"""Samples: libsndfile's length of a FLAC that was written by a pipe and doesn't say."""


class FileSource:
    """Any file that libsndfile reads: WAV, FLAC, Ogg, Opus, MP3, AIFF and more."""

    live = False
    overruns = 0

    def __init__(self, path: str | Path, paced: bool = True) -> None:
        """Name a file.

        Args:
            path: the file; ``~`` is understood.
            paced: at the pace of real time; False goes as fast as it is heard.

        """
        self.name = f"file:{path}"
        self.device: str | None = None
        self.rate = 0
        self.channels = 0
        self._path = Path(path).expanduser()
        self._paced = paced
        self._file: SoundFile | None = None
        self._inlet: Inlet | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def open(self) -> None:
        """Open the file and learn its rate and channels. Raises `SourceError`."""
        self._file = _opened(self._path)
        self.rate = self._file.samplerate
        self.channels = self._file.channels

    def start(self, inlet: Inlet) -> None:
        """Begin to push from a thread. Raises `SourceError`."""
        if self._file is None:
            self.open()
        self._inlet = inlet
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Push no more, end the inlet and close the file."""
        self._stopping.set()
        if self._inlet:
            # It may be waiting for room that the hearing thread won't make any more.
            self._inlet.end()
        if self._thread:
            self._thread.join()
        self._close()

    def _close(self) -> None:
        if self._file:
            self._file.close()
            self._file = None

    def _run(self) -> None:
        assert self._file
        assert self._inlet
        fault: Exception | None = None
        try:
            fault = self._push(self._file, self._inlet)
        except Exception as error:
            fault = SourceError(f"{self._path} can't be read on: {error}")
        finally:
            self._inlet.end(fault)
            self._close()

    def _push(self, file: "SoundFile", inlet: Inlet) -> Exception | None:
        """Push until the file ends; tell what is wrong if that is too early."""
        from soundfile import LibsndfileError

        began, done, failed = time.monotonic(), 0, False
        try:
            while len(block := _read(file)):
                done += len(block)
                # A deadline, not a pause a block: lateness must not add up.
                pause = began + done / self.rate - time.monotonic() if self._paced else 0
                if self._stopping.wait(max(0, pause)) or not inlet.put(block):
                    return None
        except LibsndfileError:
            failed = True
        broken = how_it_breaks_off(file, done, failed=failed)
        return SourceError(f"{self._path} {broken}") if broken else None


def _opened(path: Path) -> "SoundFile":
    try:
        import soundfile
    except (ImportError, OSError) as error:
        cure = "pip install soundfile, or apt install libsndfile1"
        raise SourceError(f"reading files needs libsndfile ({error}): {cure}") from error
    if not path.is_file():
        why = "is not a file" if path.exists() else "does not exist"
        raise SourceError(f"{path} {why}: give the path of a sound file on the server's machine")
    try:
        return read_onwards(soundfile.SoundFile(path))
    except (soundfile.SoundFileError, OSError) as error:
        raise SourceError(
            f"{path} can't be read ({error}): give WAV, FLAC, Ogg, Opus, MP3 or AIFF, "
            "or convert it with ffmpeg -i INPUT -ac 1 -ar 16000 output.wav"
        ) from error


def _read(file: "SoundFile") -> Block:
    count = max(1, round(file.samplerate * BLOCK))
    if file.subtype == "PCM_16":
        block: Block = file.read(count, dtype="int16", always_2d=True)
        return block
    return finite(np.asarray(file.read(count, dtype="float32", always_2d=True)))


def read_onwards(file: "SoundFile") -> "SoundFile":
    """Return a file just opened, made to be read to its end even where that isn't known.

    After every read soundfile seeks to where it should be. The end of a FLAC without a length
    can't be sought: its last block would be lost and the file seem broken.
    """
    if file.frames >= NO_LENGTH:
        file._info.seekable = 0
    return file


def how_it_breaks_off(file: "SoundFile", done: int, *, failed: bool) -> str | None:
    """Return how a file that was read to its end breaks off; None if it is whole.

    Args:
        file: the file, still open.
        done: samples that it gave.
        failed: whether libsndfile raised an error in the place of more.

    """
    broken = failed or (done < file.frames < NO_LENGTH) or _cut_short(file)
    return (
        f"breaks off after {done / file.samplerate:.1f} s: it is not complete" if broken else None
    )


def _cut_short(file: "SoundFile") -> bool:
    return any(
        found[1] is None or int(found[2]) < int(found[1]) < NEVER_TOLD
        for found in BROKEN_OFF.finditer(file.extra_info)
    )
