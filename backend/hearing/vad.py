"""Is it speech? WebRTC's detector, Silero's network, and both: one frame in, `Scores` out.

Each stream has its own detector. The network itself is loaded once, by the first stream that
needs it, and shared: a detector holds only its stream's state.
"""

import importlib.util
import math
import threading
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backend.hearing import FRAME, RATE, Detector, Samples, Scores
from backend.hearing.floor import NoiseFloor
from common.profile import VadPart

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

SILERO_FILE = "silero_vad_16k_op15.onnx"
"""The network in Silero's package; its half-precision sibling decides differently."""
SILERO_CONTEXT = 64
"""Samples of the frame before that Silero wants first; without them it hears nothing."""
SILERO_LAG = 1
"""Frames that it is late by: in the median it is sure of speech from the second on. WebRTC isn't
late."""
WEBRTC_MEMORY = 0.1
"""Seconds of WebRTC's votes that make its score: one vote alone is nervous."""
LEVEL = 0.1
"""Peak, 1 being full scale, that quiet sound is raised to for Silero, which is never sure of
speech at -50 dBFS and is of the same speech made louder."""
LEVEL_MOST = 8.0
"""The most it is raised by. The recordings without speech gave no more speech for it."""
LEVEL_MEMORY = 3.2
"""Seconds in which a past peak falls to a third."""
DOUBT = 0.3
"""How much WebRTC's no takes from a Silero score that is itself unsure."""
SILENT = 0.6
"""How much silence just before takes from it: a frame alone in silence is seldom a word."""
SPOKEN = 0.5
"""How much speech just before adds to it: a word seldom ends where Silero only wavers."""
PAST = 6
"""Frames that "just before" means; older ones fade."""
AT_FLOOR = 0.5
"""What is left of an unsure score where the sound is no louder than the room."""


class DetectorError(Exception):
    """A detector can't be made here. The text says what is missing and how to get it."""


class WebRtc:
    """WebRTC's Gaussian mixture on six bands: 3 µs a frame, fooled by steady noise and tones.

    Scores are the share of votes for speech in the last `WEBRTC_MEMORY`.
    """

    def __init__(self, vad: VadPart) -> None:
        """Set up for a stream. Raises `DetectorError`."""
        try:
            from webrtcvad import Vad
        except ImportError as error:
            raise _missing("WebRTC", "webrtcvad-wheels") from error
        self.at_once = math.inf
        self.lag = 0
        self._judge = Vad()
        self._votes: deque[bool] = deque()
        self._rest = b""
        self.tune(vad)

    def tune(self, vad: VadPart) -> None:
        """Judge by other settings from the next frame on."""
        duration = vad.parameters.frame_duration_ms
        self.start = 0.9 - 0.5 * vad.sensitivity
        self.hold = self.start / 2
        self.sure = self.start
        self._judge.set_mode(webrtc_aggressiveness(vad))
        self._bytes = RATE * duration // 1000 * 2
        self._votes = deque(self._votes, maxlen=round(WEBRTC_MEMORY * 1000 / duration))

    def __call__(self, frame: Samples) -> Scores:
        """Score the next frame, by those of WebRTC's own frames that end in it."""
        sound = self._rest + frame.tobytes()
        whole = len(sound) - len(sound) % self._bytes
        for begin in range(0, whole, self._bytes):
            piece = sound[begin : begin + self._bytes]
            self._votes.append(self._judge.is_speech(piece, RATE))
        self._rest = sound[whole:]
        score = sum(self._votes) / len(self._votes)
        return Scores(score, webrtc=score)


class Silero:
    """Silero's recurrent network on ONNX Runtime: 0.1 ms a frame, sure of what is speech."""

    def __init__(self, vad: VadPart) -> None:
        """Set up for a stream; the first one loads the network. Raises `DetectorError`."""
        self.at_once = math.inf
        self.lag = SILERO_LAG
        self.tune(vad)
        self._network = _silero()
        self._state = np.zeros((2, 1, 128), np.float32)
        self._sound = np.zeros((1, SILERO_CONTEXT), np.float32)
        self._peak = 0.0

    def tune(self, vad: VadPart) -> None:
        """Judge by other settings from the next frame on."""
        self.start = silero_threshold(vad)
        self.hold = 0.7 * self.start
        self.sure = self.start + 0.86 * (1 - self.start)

    def __call__(self, frame: Samples) -> Scores:
        """Score the next frame with the network's probability."""
        context = self._sound[:, -SILERO_CONTEXT:]
        sound = frame.astype(np.float32)[np.newaxis] / 32768
        self._sound = np.concatenate([context, sound], axis=1)
        louder = self._sound * np.float32(self._gain(float(np.abs(sound).max())))
        given = {"input": louder, "state": self._state, "sr": _SAMPLE_RATE}
        probability, self._state = self._network.run(None, given)
        score = float(probability[0, 0])
        return Scores(score, silero=score)

    def _gain(self, peak: float) -> float:
        self._peak = max(peak, self._peak * _PEAK_KEEPS)
        return min(LEVEL_MOST, max(1.0, LEVEL / max(self._peak, 1e-9)))


class Combined:
    """Silero's judgment, quickened where WebRTC agrees and dampened where it doesn't.

    What is not heard as speech by WebRTC, or comes out of silence, takes most from a Silero
    score in the middle and nothing from a certain one, so very quiet speech, which WebRTC never
    hears, is still heard; what comes in the midst of speech is believed more. So lower
    thresholds than Silero's alone are safe, and speech is noticed earlier: from one frame, if
    that one is plain. Noise can't hold it open on WebRTC's word, nor by a frame now and then,
    nor on a middling score of Silero's for sound that has sunk to the level of the room.
    """

    def __init__(self, vad: VadPart) -> None:
        """Set up both for a stream. Raises `DetectorError`."""
        self._webrtc, self._silero = WebRtc(vad), Silero(vad)
        self.lag = self._silero.lag
        self._floor = NoiseFloor()
        self._past = 0.0
        self.tune(vad)

    def tune(self, vad: VadPart) -> None:
        """Judge by other settings from the next frame on."""
        self._webrtc.tune(vad)
        self._silero.tune(vad)
        self.start = self.hold = 0.7 * self._silero.start
        self.at_once = 1.3 * self._silero.start
        self.sure = self._silero.sure

    def __call__(self, frame: Samples) -> Scores:
        """Score the next frame with both."""
        webrtc, silero = self._webrtc(frame).speech, self._silero(frame).speech
        belief = SPOKEN * self._past - SILENT * (1 - self._past) - DOUBT * (1 - webrtc)
        self._past += (silero - self._past) / PAST
        score = silero * (1 + belief * (1 - silero))
        sound = frame.astype(np.float32)
        if self._floor.reached_by(float(sound @ sound)) and silero < self.at_once:
            score *= AT_FLOOR
        return Scores(score, webrtc, silero)


def make(vad: VadPart) -> Detector | None:
    """Return a new stream's detector, None if the settings want none.

    The first Silero takes about 0.1 s to load. Raises `DetectorError`.
    """
    if not vad.enabled:
        return None
    match vad.detector_type:
        case "webrtc":
            return WebRtc(vad)
        case "silero":
            return Silero(vad)
        case "combined":
            return Combined(vad)


def tuned(before: Detector | None, fresh: Detector | None, vad: VadPart) -> Detector | None:
    """Return what judges a stream whose settings change to `vad`.

    That is `fresh`, or `before` where both judge by the same means: it has heard the stream, and
    a new one would be deaf for a moment.
    """
    if isinstance(before, WebRtc | Silero | Combined) and type(before) is type(fresh):
        before.tune(vad)
        return before
    return fresh


def silero_threshold(vad: VadPart) -> float:
    """Return the probability from which Silero hears speech: 0.5 at a sensitivity of 0.6.

    `VadParameters.silero_threshold` goes before.
    """
    wanted = vad.parameters.silero_threshold
    return 0.9 - vad.sensitivity * 2 / 3 if wanted is None else wanted


def webrtc_aggressiveness(vad: VadPart) -> int:
    """Return how much WebRTC rejects, 0 to 3: 2 at a sensitivity of 0.6.

    0 and 1 take the noise of a quiet room for speech. `VadParameters.webrtc_aggressiveness`
    goes before.
    """
    wanted = vad.parameters.webrtc_aggressiveness
    return sum(vad.sensitivity < limit for limit in (0.4, 0.8, 0.9)) if wanted is None else wanted


_PEAK_KEEPS = math.exp(-FRAME / RATE / LEVEL_MEMORY)
_SAMPLE_RATE = np.array(RATE, np.int64)
_loading = threading.Lock()
_loaded: "InferenceSession | None" = None


def _silero() -> "InferenceSession":
    """Return the one network, which many threads may run at once."""
    global _loaded
    with _loading:
        if _loaded is None:
            _loaded = _load_silero()
        return _loaded


def _load_silero() -> "InferenceSession":
    try:
        import onnxruntime
    except ImportError as error:
        raise _missing("Silero", "onnxruntime") from error
    options = onnxruntime.SessionOptions()
    # One frame is too little work to share, and a spinning pool would eat a core.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    path = str(_silero_file())
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _silero_file() -> Path:
    """Find the network's file without importing its package, which would import torch."""
    package = importlib.util.find_spec("silero_vad")
    for folder in (package and package.submodule_search_locations) or ():
        path = Path(folder) / "data" / SILERO_FILE
        if path.is_file():
            return path
    raise _missing(f"Silero ({SILERO_FILE})", "silero-vad")


def _missing(detector: str, package: str) -> DetectorError:
    return DetectorError(
        f"{detector} needs the package {package}: install it with pip install {package}, "
        "or choose another vad.detector_type"
    )
