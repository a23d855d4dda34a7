"""What can be heard in a stream of sound. Pure: times are seconds of the sound itself."""

from dataclasses import dataclass

from backend.hearing import Samples, Scores


@dataclass(frozen=True, slots=True)
class Loudness:
    """How loud it is, and how much like speech."""

    rms_dbfs: float
    """Root mean square, 0 for a full-scale square wave, not below `FLOOR_DBFS`."""
    peak_dbfs: float
    scores: Scores
    """Of the last frame; all zero and None without a detector."""
    speaking: bool
    """Between `SpeechBegan` and `SpeechFinished`."""
    at: float
    """Seconds of sound heard by then."""
    threshold: float | None
    """`Scores.speech` from which speech begins; None without a detector."""
    floor_dbfs: float
    """How loud the room is."""


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    """Somebody began to speak. Told as soon as it is confirmed, with when it was."""

    confidence: float
    """Mean of the detector's verdicts that confirmed it, 0 to 1."""
    start: float
    """Seconds of sound before the first voiced frame."""
    utterance: int
    """Number of the utterance that may come of it."""


@dataclass(frozen=True, slots=True)
class SpeechFinished:
    """Nobody has spoken for `min_silence_duration`, or the sound ended."""

    start: float
    """Seconds, as in the `SpeechBegan` before."""
    end: float
    """Seconds of sound up to the end of the last voiced frame."""
    utterance: int
    """Number of the last utterance of this speech."""
    heard: bool
    """False for a sound too short to be speech: no utterance came or will come of it."""


@dataclass(frozen=True, slots=True)
class Growing:
    """An utterance so far, while somebody still speaks."""

    utterance: int
    start: float
    """Seconds: the first voiced frame of this utterance."""
    end: float
    """Seconds: the end of the last voiced frame so far."""
    audio_start: float
    """Seconds: the first sample of `audio`."""
    audio: Samples
    paused: bool = False
    """Nobody has spoken for `TAIL`: if it stays so, this is the utterance's sound."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """Sound to be transcribed. A word's time is `audio_start` and its time within `audio`."""

    utterance: int
    """1, 2, 3, …; numbers of sounds that were too short are left out."""
    start: float
    """Seconds: the first voiced frame."""
    end: float
    """Seconds: the end of the last voiced frame."""
    audio_start: float
    """Seconds: the first sample of `audio`, before `start` by what was kept of before."""
    audio: Samples
    cut: bool
    """The speech goes on in the next utterance, whose sound follows on the sample."""


Heard = Loudness | SpeechBegan | SpeechFinished | Growing | Utterance
