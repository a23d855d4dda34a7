"""Where a long utterance is cut: real speech without a pause, the real engine."""

import numpy as np
import soundfile

from backend.engines import Wishes
from backend.engines.mlx_whisper import MlxWhisper
from backend.hearing import FRAME, RATE, Samples
from backend.hearing.heard import Utterance
from backend.hearing.segmenter import Segmenter
from backend.hearing.vad import make
from common.profile import VadPart
from tests.running import SOUNDS, TINY


def utterances(sound: Samples, vad: VadPart) -> list[Utterance]:
    segmenter = Segmenter(make(vad), vad, None)
    frames = sound[: len(sound) // FRAME * FRAME].reshape(-1, FRAME)
    facts = [fact for frame in frames for fact in segmenter.hear(frame)]
    return [fact for fact in [*facts, *segmenter.flush()] if isinstance(fact, Utterance)]


def test_no_word_is_cut_or_doubled_at_the_seam() -> None:
    sample = soundfile.read(SOUNDS / "demo.flac", dtype="int16")[0][: 17 * RATE]
    spoken = utterances(sample, VadPart(pre_speech=0.1, min_silence_duration=0.3))
    gap = np.zeros(1600, np.int16)
    # Its sentences a tenth of a second apart: nobody ever stops speaking.
    quiet = np.zeros(RATE, np.int16)
    hurried = np.concatenate([quiet, *(part for one in spoken for part in (one.audio, gap)), quiet])
    pieces = utterances(hurried, VadPart(max_utterance=2, min_silence_duration=0.6))
    assert sum(piece.cut for piece in pieces) >= 3
    engine = MlxWhisper(str(TINY))
    engine.load(lambda stage, done, total: None)
    texts = [engine.final("", piece.audio, Wishes(language="en")).text for piece in pieces]
    engine.unload()
    said = (SOUNDS / "demo.txt").read_text().splitlines()[: len(spoken)]
    assert " ".join(texts).split() == " ".join(said).split()
