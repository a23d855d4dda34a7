"""The detectors on real speech, on noise and on tones."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from backend.hearing import FRAME, RATE, Detector, Samples, Scores
from backend.hearing import vad as vads
from backend.hearing.heard import SpeechBegan, Utterance
from backend.hearing.segmenter import Segmenter
from backend.hearing.vad import Combined, DetectorError, Silero, WebRtc, make, tuned
from common.profile import VadParameters, VadPart

ROOT = Path(__file__).parents[3]
SPEECH = ROOT.parent / "shared" / "audio"
HELLO = ROOT / "tests" / "sounds" / "hello-world.flac"

needs_speech = pytest.mark.skipif(
    not SPEECH.is_dir(), reason="no recordings of real speech on this machine"
)
KINDS = [WebRtc, Silero, Combined]


def hiss(seconds: float, deviation: float, seed: int = 1) -> Samples:
    noise = np.random.default_rng(seed).normal(0, deviation, round(seconds * RATE))
    return noise.astype(np.int16)


def scores(detector: Detector, sound: Samples) -> list[float]:
    return [detector(frame).speech for frame in frames_of(sound)]


def frames_of(sound: Samples) -> list[Samples]:
    return list(sound[: len(sound) // FRAME * FRAME].reshape(-1, FRAME))


def utterances(vad: VadPart, sound: Samples) -> list[Utterance]:
    """Return what is heard of a sound with a quiet second before and after it."""
    segmenter = Segmenter(make(vad), vad, None)
    whole = np.concatenate([hiss(1, 1.5), sound, hiss(1.5, 1.5)])
    heard = [thing for frame in frames_of(whole) for thing in segmenter.hear(frame)]
    heard += segmenter.flush()
    return [thing for thing in heard if isinstance(thing, Utterance)]


def clip(name: str) -> Samples:
    sound: Samples = soundfile.read(SPEECH / name, dtype="int16")[0]
    return sound


def manifest() -> list[dict[str, str]]:
    lines = (SPEECH / "manifest.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_settings_choose_the_detector() -> None:
    assert isinstance(make(VadPart(detector_type="webrtc")), WebRtc)
    assert isinstance(make(VadPart(detector_type="silero")), Silero)
    assert isinstance(make(VadPart(detector_type="combined")), Combined)
    assert make(VadPart(enabled=False)) is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_higher_sensitivity_lowers_every_threshold(
    kind: type[WebRtc | Silero | Combined],
) -> None:
    made = [kind(VadPart(sensitivity=step / 10)) for step in range(11)]
    for threshold in ("start", "hold", "sure"):
        values = [getattr(detector, threshold) for detector in made]
        assert values == sorted(values, reverse=True), threshold
        assert len(set(values)) == 11, threshold
        assert all(0 < value <= 1 for value in values), threshold
    assert all(one.hold <= one.start <= min(one.sure, one.at_once) for one in made)


def test_a_higher_sensitivity_makes_webrtc_reject_less() -> None:
    modes = [vads.webrtc_aggressiveness(VadPart(sensitivity=step / 10)) for step in range(11)]
    assert modes == sorted(modes, reverse=True)
    assert (modes[0], modes[-1]) == (3, 0)


def test_the_default_sensitivity_is_half_of_silero() -> None:
    assert vads.silero_threshold(VadPart()) == pytest.approx(0.5)


def test_parameters_go_before_sensitivity() -> None:
    parameters = VadParameters(silero_threshold=0.3, webrtc_aggressiveness=0)
    vad = VadPart(sensitivity=0, parameters=parameters)
    assert vads.silero_threshold(vad) == Silero(vad).start == 0.3
    assert vads.webrtc_aggressiveness(vad) == 0


@pytest.mark.parametrize("duration", [10, 20, 30])
def test_webrtc_judges_frames_of_the_length_asked_for(duration: int) -> None:
    vad = VadPart(parameters=VadParameters.model_validate({"frame_duration_ms": duration}))
    sound = hiss(3.2, 3000)
    detector = WebRtc(vad)
    assert all(0 <= score <= 1 for score in scores(detector, sound))
    assert len(detector._rest) == (len(sound) * 2) % (duration * 32)
    assert scores(detector, np.zeros(RATE, np.int16))[-1] == 0


@pytest.mark.parametrize("kind", [Silero, Combined])
def test_noise_and_tones_are_not_speech(kind: type[Silero | Combined]) -> None:
    tone = (3277 * np.sin(2 * np.pi * 440 / RATE * np.arange(3 * RATE))).astype(np.int16)
    for sound in (hiss(3, 3277), tone, np.zeros(3 * RATE, np.int16), hiss(3, 1)):
        detector = kind(VadPart())
        assert max(scores(detector, sound)[3:]) < detector.start


@pytest.mark.parametrize("kind", ["webrtc", "silero", "combined"])
def test_a_spoken_sentence_is_one_utterance(kind: str) -> None:
    vad = VadPart.model_validate({"detector_type": kind})
    sound, rate = soundfile.read(HELLO, dtype="int16")
    assert rate == RATE
    (only,) = utterances(vad, sound)
    assert 0.25 < only.end - only.start < len(sound) / RATE + 0.5


@pytest.mark.parametrize("kind", ["silero", "combined"])
def test_speech_at_minus_50_dbfs_is_heard(kind: str) -> None:
    sound = soundfile.read(HELLO, dtype="int16")[0].astype(np.float32)
    quiet = np.round(sound * (104 / np.abs(sound).max())).astype(np.int16)
    assert len(utterances(VadPart.model_validate({"detector_type": kind}), quiet)) == 1


def test_a_score_that_wavers_is_believed_amid_speech_and_doubted_in_silence() -> None:
    given = iter([0.0, 0.5, *[1.0] * 20, 0.5, *[0.0] * 40, 0.5])
    detector = Combined(VadPart())
    detector._silero = lambda frame: Scores(next(given))  # type: ignore[assignment]
    quiet, loud = np.zeros(FRAME, np.int16), hiss(2.1, 300)
    told = scores(detector, np.concatenate([quiet, loud[: 63 * FRAME]]))
    first, amid, after = told[1], told[22], told[63]
    assert max(first, after) < detector.hold < 0.5 < amid


def test_a_certain_score_is_not_doubted() -> None:
    detector = Combined(VadPart())
    detector._silero = lambda frame: Scores(1.0)  # type: ignore[assignment]
    assert scores(detector, hiss(0.1, 300)) == [1.0] * 3


def test_streams_that_share_the_network_do_not_share_their_state() -> None:
    sound = soundfile.read(HELLO, dtype="int16")[0]
    alone = scores(Silero(VadPart()), sound)
    one, other = Silero(VadPart()), Silero(VadPart())
    mixed = []
    for frame, noise in zip(frames_of(sound), frames_of(hiss(30, 3000)), strict=False):
        mixed.append(one(frame).speech)
        other(noise)
    assert mixed == alone
    assert max(alone) > 0.9


def test_silero_needs_neither_torch_nor_its_own_package() -> None:
    script = (
        "import sys, numpy as np\n"
        "from backend.hearing.vad import make\n"
        "from common.profile import VadPart\n"
        "assert 'onnxruntime' not in sys.modules\n"
        "make(VadPart())(np.zeros(512, np.int16))\n"
        "print(sorted({'torch', 'silero_vad'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"


@pytest.mark.parametrize(
    ("kind", "module", "package"),
    [("webrtc", "webrtcvad", "webrtcvad-wheels"), ("silero", "onnxruntime", "onnxruntime")],
)
def test_a_missing_package_is_told_with_its_cure(
    kind: str, module: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(vads, "_loaded", None)
    with pytest.raises(DetectorError, match=f"pip install {package}"):
        make(VadPart.model_validate({"detector_type": kind}))


def test_a_missing_network_is_told_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vads, "_loaded", None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DetectorError, match="pip install silero-vad"):
        make(VadPart())


@needs_speech
def test_nearly_every_spoken_clip_is_heard() -> None:
    spoken = [told["file"] for told in manifest() if told["kind"] != "nonspeech"]
    missed = [name for name in spoken[::3] if not utterances(VadPart(), clip(name))]
    assert missed == []


@needs_speech
def test_short_commands_are_heard() -> None:
    short = [told["file"] for told in manifest() if told["kind"] == "command"]
    assert short
    assert [name for name in short if not utterances(VadPart(), clip(name))] == []


@needs_speech
def test_a_quiet_recording_is_heard_from_its_first_frame() -> None:
    segmenter = Segmenter(make(VadPart()), VadPart(), None)
    sound = clip("en-fleurs-004.flac")
    heard = [thing for frame in frames_of(sound) for thing in segmenter.hear(frame)]
    heard += segmenter.flush()
    assert any(isinstance(thing, Utterance) for thing in heard)


@needs_speech
def test_what_is_not_speech_makes_one_utterance_at_most() -> None:
    noises = [told["file"] for told in manifest() if told["kind"] == "nonspeech"]
    assert sum(len(utterances(VadPart(), clip(name))) for name in noises) <= 1


@needs_speech
def test_speech_is_noticed_at_once() -> None:
    told = next(one for one in manifest() if one["file"] == "en-jfk.flac")
    vad, sound = VadPart(), np.concatenate([hiss(1, 1.5), clip("en-jfk.flac")])
    segmenter = Segmenter(make(vad), vad, None)
    for frame in frames_of(sound):
        if any(isinstance(thing, SpeechBegan) for thing in segmenter.hear(frame)):
            break
    assert segmenter.seconds - 1 < float(told["first_word_start"]) + 0.25


@pytest.mark.parametrize("kind", ["webrtc", "silero", "combined"])
def test_a_detector_that_is_tuned_judges_as_one_that_was_made_so(kind: str) -> None:
    before = VadPart.model_validate({"detector_type": kind, "sensitivity": 0.1})
    after = VadPart.model_validate(
        {"detector_type": kind, "sensitivity": 0.9, "parameters": {"frame_duration_ms": 10}}
    )
    old, fresh = make(before), make(after)
    assert old
    assert fresh
    assert tuned(old, fresh, after) is old
    thresholds = ["start", "at_once", "hold", "sure", "lag"]
    assert [getattr(old, name) for name in thresholds] == [
        getattr(fresh, name) for name in thresholds
    ]
    noise = hiss(1, 3000)
    assert scores(old, noise) == scores(fresh, noise)


def test_another_kind_of_detector_takes_the_place() -> None:
    vad = VadPart(detector_type="webrtc")
    fresh = make(vad)
    assert tuned(make(VadPart()), fresh, vad) is fresh
    assert tuned(None, fresh, vad) is fresh
    assert tuned(fresh, None, vad) is None


def test_a_tuned_detector_remembers_what_it_heard() -> None:
    sound = soundfile.read(HELLO, dtype="int16")[0]
    untouched, touched = Silero(VadPart()), Silero(VadPart())
    half = len(sound) // 2
    assert scores(untouched, sound[:half]) == scores(touched, sound[:half])
    touched.tune(VadPart(sensitivity=0.2))
    assert scores(untouched, sound[half:]) == scores(touched, sound[half:])
