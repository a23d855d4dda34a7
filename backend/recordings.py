"""Whole recordings: cut up as live sound is, read by the same engines, told as segments."""

import asyncio
import math
import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import numpy as np
from pydantic import BaseModel

from backend.engines import Cancelled, EngineError, Reading, Wishes
from backend.engines.desk import Desk
from backend.hearing import RATE, Block
from backend.hearing.framer import Framer
from backend.hearing.heard import Heard, Utterance
from backend.hearing.segmenter import Segmenter
from backend.hearing.vad import make
from backend.problems import Problem, bad_request, missing, too_large, unreadable_audio
from backend.sources.file import how_it_breaks_off, read_onwards
from common.api import Segment, Transcript
from common.events import Word
from common.profile import TranscriptionPart, VadPart

if TYPE_CHECKING:
    from soundfile import SoundFile

PIECE = 1024
"""Samples decoded at a time: as much may be lost where a file breaks off."""
PCM = {"pcm", "pcm_s16le", "s16le", "l16", "raw"}
"""Names of headerless 16 kHz mono 16-bit little-endian PCM."""


class Job(BaseModel):
    """How a recording is to be read."""

    transcription: TranscriptionPart
    vad: VadPart
    format: str | None
    """One of `PCM`, or None to look at the data."""
    longest: float
    """Seconds that may be read."""


@dataclass
class Recording:
    """Decoded piece by piece; `seconds` grows on the way."""

    file: IO[bytes]
    format: str | None
    """One of `PCM`, or None to look at the data."""
    longest: float
    """Seconds that may be read."""
    seconds: float = 0.0
    warning: str | None = None
    """What is wrong with the audio; known once all of it has been heard."""
    unwanted: bool = False
    """Whoever asked has gone: read no more."""

    def heard(self, segmenter: Segmenter) -> Iterator[Heard]:
        """Yield what the segmenter hears in it. Blocks. Raises `Problem`."""
        framer: Framer | None = None
        samples = 0
        for rate, block in self._pieces():
            if self.unwanted:
                return
            framer = framer or Framer(rate, block.shape[1])
            samples += len(block)
            self.seconds = samples / rate
            if self.seconds > self.longest:
                raise too_large(
                    f"the recording is longer than {self.longest:g} s, the limit of "
                    "STT_SERVER_MAX_AUDIO_SECONDS; send it in parts"
                )
            for frame in framer.frames(block):
                yield from segmenter.hear(frame)
        for frame in framer.drain() if framer else ():
            yield from segmenter.hear(frame)
        yield from segmenter.flush()

    def _pieces(self) -> Iterator[tuple[int, Block]]:
        if self.format is not None:
            yield from self._samples()
            return
        import soundfile

        try:
            with read_onwards(soundfile.SoundFile(self.file)) as sound:
                yield from self._decoded(sound)
        except soundfile.LibsndfileError as error:
            raise _unreadable(error.error_string.strip()) from error

    def _decoded(self, sound: "SoundFile") -> Iterator[tuple[int, Block]]:
        """Yield what can be decoded; if that isn't all, leave a warning."""
        from soundfile import LibsndfileError

        done, failed = 0, False
        try:
            # Not blocks(): where a file ends too early, that repeats what it read before.
            while len(block := sound.read(PIECE, dtype="float32", always_2d=True)):
                done += len(block)
                yield sound.samplerate, np.nan_to_num(block, posinf=1.0, neginf=-1.0)
        except LibsndfileError:
            if not done:
                raise
            failed = True
        broken = how_it_breaks_off(sound, done, failed=failed)
        if broken and not done:
            raise _unreadable("No sound comes after the header: it was cut off.")
        self.warning = broken and f"the recording {broken}"

    def _samples(self) -> Iterator[tuple[int, Block]]:
        while data := self.file.read(PIECE * 2):
            if len(data) % 2:
                raise bad_request(
                    "16-bit PCM has two bytes a sample, but the data end with half of one; were "
                    "they cut short, or is it another format?",
                    "Odd number of bytes",
                )
            yield RATE, np.frombuffer(data, dtype="<i2").reshape(-1, 1)


def _unreadable(why: str) -> Problem:
    return unreadable_audio(
        f"{why} Send WAV, FLAC, OGG/Opus or MP3; for headerless 16 kHz mono 16-bit PCM say so: "
        '"format": "pcm_s16le" in JSON, or the content type audio/L16'
    )


async def transcribe(
    recording: Recording, vad: VadPart, wishes: Wishes, desk: Desk, threads: Executor
) -> Transcript:
    """Return what is said in a recording. Raises `Problem`."""
    try:
        await asyncio.to_thread(desk.engine.check, wishes)
    except EngineError as error:
        raise bad_request(str(error), "Invalid configuration") from error
    started = time.monotonic()
    reading = threads.submit(_read, recording, vad, wishes, desk)
    try:
        read = await asyncio.wrap_future(reading)
    except asyncio.CancelledError:
        recording.unwanted = True
        # The thread still reads the file, which the caller is about to close.
        await asyncio.gather(asyncio.wrap_future(reading), return_exceptions=True)
        raise
    except (EngineError, Cancelled) as error:
        raise missing(str(error), "Engine failed") from error
    segments = [_segment(utterance, reading) for utterance, reading in read if reading.text]
    languages = [reading.language for _, reading in read if reading.language and reading.text]
    return Transcript(
        text=" ".join(segment.text for segment in segments),
        language=max(languages, key=languages.count) if languages else wishes.language,
        duration=round(recording.seconds, 3),
        segments=segments,
        engine=desk.engine.name,
        model=desk.engine.model,
        processing_seconds=round(time.monotonic() - started, 3),
        warning=recording.warning,
    )


def _read(
    recording: Recording, vad: VadPart, wishes: Wishes, desk: Desk
) -> list[tuple[Utterance, Reading]]:
    segmenter = Segmenter(make(vad), vad, None)
    begun: list[tuple[Utterance, Future[Reading]]] = []
    for heard in recording.heard(segmenter):
        if isinstance(heard, Utterance):
            if begun and not desk.has_room():
                begun[-1][1].exception()
            begun.append((heard, desk.final(_name(recording, heard), heard.audio, wishes)))
    return [
        (utterance, _result(recording, utterance, reading, desk)) for utterance, reading in begun
    ]


def _result(
    recording: Recording, utterance: Utterance, reading: Future[Reading], desk: Desk
) -> Reading:
    while True:
        try:
            return reading.result(timeout=0.2)
        except TimeoutError:
            if recording.unwanted:
                desk.cancel(_name(recording, utterance))


def _name(recording: Recording, utterance: Utterance) -> str:
    return f"recording-{id(recording):x}-{utterance.utterance}"


def _segment(utterance: Utterance, reading: Reading) -> Segment:
    def at(seconds: float) -> float:
        return round(utterance.audio_start + seconds, 3)

    confidence = reading.confidence
    return Segment(
        start=round(utterance.start, 3),
        end=round(utterance.end, 3),
        text=reading.text,
        confidence=None if confidence is None or math.isnan(confidence) else round(confidence, 4),
        words=[
            Word(text=w.text, start=at(w.start), end=at(w.end), confidence=w.confidence)
            for w in reading.words
        ],
    )
