"""The sound of utterances as FLAC files, one each, named after their numbers."""

import contextlib
import os
from collections.abc import Container, Iterable
from pathlib import Path

from backend.hearing import RATE, Samples

ENDING = ".flac"


def place(folder: Path, seq: int) -> Path:
    """Return where an utterance's sound lies, if it was kept."""
    return folder / f"{seq}{ENDING}"


def write(folder: Path, seq: int, sound: Samples) -> int:
    """Write an utterance's sound; return the file's bytes. Raises `OSError`."""
    import soundfile

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = place(folder, seq)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with open(handle, "wb") as file:
            soundfile.write(file, sound, RATE, format="FLAC", subtype="PCM_16")
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, soundfile.SoundFileRuntimeError):
            raise OSError(str(error)) from error
        raise
    return path.stat().st_size


def remove(folder: Path, numbers: Iterable[int]) -> None:
    """Delete utterances' sound where there is any."""
    for seq in numbers:
        with contextlib.suppress(OSError):
            place(folder, seq).unlink()


def remove_others(folder: Path, known: Container[int]) -> None:
    """Delete files of utterances that nobody knows: a life was cut short between the two."""
    if not folder.is_dir():
        return
    names = (path.name.removesuffix(ENDING) for path in folder.glob("*" + ENDING))
    remove(folder, [int(name) for name in names if name.isdigit() and int(name) not in known])
