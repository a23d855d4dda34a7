"""What the segmenter makes of frames and a detector's scores."""

from itertools import pairwise
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.hearing import FRAME, RATE, Samples
from backend.hearing.cutting import quietest
from backend.hearing.heard import Growing, Heard, Loudness, SpeechBegan, SpeechFinished, Utterance
from backend.hearing.segmenter import FLOOR_DBFS, TAIL, Segmenter
from common.profile import VadPart
from tests.backend.hearing.scripted import Scripted, numbered, segmented

YES = [1.0] * 12  # 0.384 s
SILENCE = [0.0] * 40  # 1.28 s
A_FRAME = FRAME / RATE
SHORT = VadPart(max_utterance=2)

T = TypeVar("T")


def of(kind: type[T], heard: list[Heard]) -> list[T]:
    return [thing for thing in heard if isinstance(thing, kind)]


def kinds(heard: list[Heard]) -> list[str]:
    return [type(thing).__name__ for thing in heard]


def joined(frames: list[Samples]) -> Samples:
    return np.concatenate(frames)


def test_a_short_word_is_an_utterance() -> None:
    heard = segmented([*SILENCE, *YES, *SILENCE])
    assert kinds(heard) == ["SpeechBegan", "Growing", "SpeechFinished", "Utterance"]
    (finished,), (word,) = of(SpeechFinished, heard), of(Utterance, heard)
    assert (word.utterance, word.cut, finished.heard) == (1, False, True)
    assert word.start == finished.start == pytest.approx(40 * A_FRAME)
    assert word.end == finished.end == pytest.approx(52 * A_FRAME)


def test_the_sound_begins_before_the_word_and_ends_a_little_after_it() -> None:
    (word,) = of(Utterance, segmented([*SILENCE, *YES, *SILENCE]))
    assert word.start - word.audio_start == pytest.approx(VadPart().pre_speech, abs=A_FRAME)
    after = word.audio_start + len(word.audio) / RATE - word.end
    assert after == pytest.approx(TAIL)
    first = round(word.audio_start / A_FRAME)
    assert np.array_equal(word.audio[:FRAME], numbered(92)[first])


def test_sound_that_begins_with_speech_is_whole() -> None:
    (word,) = of(Utterance, segmented([*YES, *SILENCE]))
    assert word.start == word.audio_start == 0


def test_a_click_is_not_speech() -> None:
    assert segmented([*SILENCE, 1.0, *SILENCE]) == []


def test_a_knock_is_told_but_not_transcribed() -> None:
    heard = segmented([*SILENCE, *[1.0] * 4, *SILENCE])
    assert kinds(heard) == ["SpeechBegan", "SpeechFinished"]
    assert of(SpeechFinished, heard)[0].heard is False


def test_what_the_detector_is_never_sure_of_is_not_transcribed() -> None:
    heard = segmented([*SILENCE, *[0.8] * 40, *SILENCE], interval=0.1)
    assert kinds(heard) == ["SpeechBegan", "SpeechFinished"]
    assert of(SpeechFinished, heard)[0].heard is False


def test_a_long_sound_wants_more_than_a_moment_of_certainty() -> None:
    music = [0.6] * 60
    music[10:15] = [1.0] * 5
    assert kinds(segmented([*SILENCE, *music, *SILENCE])) == ["SpeechBegan", "SpeechFinished"]


def test_one_word_in_a_long_noise_is_transcribed() -> None:
    noise = [0.6] * 300
    noise[100:110] = [1.0] * 10
    assert len(of(Utterance, segmented([*SILENCE, *noise, *SILENCE]))) == 1


def test_speech_is_told_as_soon_as_two_of_three_frames_are_speech() -> None:
    segmenter = Segmenter(Scripted([0, 1, 0, 1, 1]), VadPart(), None)
    heard = [of(SpeechBegan, list(segmenter.hear(frame))) for frame in numbered(4)]
    assert [len(began) for began in heard] == [0, 0, 0, 1]
    assert heard[3][0].start == pytest.approx(A_FRAME)
    assert heard[3][0].confidence == pytest.approx(2 / 3)


def test_a_plain_frame_alone_begins_speech(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scripted, "at_once", 0.8)
    segmenter = Segmenter(Scripted([0, 0.7, 0, 0.8]), VadPart(), None)
    heard = [of(SpeechBegan, list(segmenter.hear(frame))) for frame in numbered(4)]
    assert [len(began) for began in heard] == [0, 0, 0, 1]


def test_speech_begins_where_the_scores_began_to_rise() -> None:
    (began,) = of(SpeechBegan, segmented([*SILENCE, 0.4, 0.45, *YES]))
    assert began.start == pytest.approx(40 * A_FRAME)


def test_speech_begins_as_much_earlier_as_its_detector_is_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Scripted, "lag", 2)
    heard = segmented([*SILENCE, *YES, *SILENCE])
    ((began,), (utterance,)) = of(SpeechBegan, heard), of(Utterance, heard)
    assert began.start == utterance.start == pytest.approx((len(SILENCE) - 2) * A_FRAME)
    assert utterance.end == pytest.approx((len(SILENCE) + len(YES)) * A_FRAME)


def test_no_speech_begins_before_the_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scripted, "lag", 2)
    (utterance,) = of(Utterance, segmented([0, *YES, *SILENCE]))
    assert utterance.start == utterance.audio_start == 0


def test_a_pause_within_a_sentence_does_not_end_it() -> None:
    heard = segmented([*SILENCE, *YES, *[0.0] * 15, *YES, *SILENCE])
    assert len(of(Utterance, heard)) == 1


def test_a_score_between_the_thresholds_goes_on_but_does_not_begin() -> None:
    assert segmented([0.4] * 50) == []
    (word,) = of(Utterance, segmented([*YES, *[0.4] * 50, *SILENCE]))
    assert word.end == pytest.approx(62 * A_FRAME)


@pytest.mark.parametrize("seconds", [0.1, 0.7, 3.0])
def test_speech_ends_after_the_silence_asked_for(seconds: float) -> None:
    segmenter = Segmenter(
        Scripted([*YES, *[0.0] * 200]), VadPart(min_silence_duration=seconds), None
    )
    for frame in numbered(200):
        if of(SpeechFinished, list(segmenter.hear(frame))):
            break
    assert segmenter.seconds == pytest.approx(12 * A_FRAME + seconds, abs=A_FRAME / 2 + 1e-9)


def test_two_utterances_share_no_sample() -> None:
    quick = VadPart(min_silence_duration=0.1, pre_speech=2)
    first, second = of(Utterance, segmented([*YES, *[0.0] * 5, *YES, *SILENCE], quick))
    assert (first.utterance, second.utterance) == (1, 2)
    assert second.audio_start >= first.audio_start + len(first.audio) / RATE


def test_a_number_is_not_used_again_after_a_knock() -> None:
    knock = [1.0] * 4
    heard = segmented([*SILENCE, *knock, *SILENCE, *YES, *SILENCE])
    assert [began.utterance for began in of(SpeechBegan, heard)] == [1, 2]
    assert [word.utterance for word in of(Utterance, heard)] == [2]


def test_the_end_of_the_sound_finishes_a_word() -> None:
    heard = segmented([*SILENCE, *YES])
    assert kinds(heard) == ["SpeechBegan", "SpeechFinished", "Utterance"]
    assert of(Utterance, heard)[0].end == pytest.approx(52 * A_FRAME)


def test_the_end_of_the_sound_does_not_make_a_word_of_a_knock() -> None:
    assert of(Utterance, segmented([*SILENCE, *[1.0] * 4])) == []


def test_speech_goes_on_after_a_flush_and_nothing_is_lost() -> None:
    frames = numbered(40)
    segmenter = Segmenter(Scripted([1.0] * 40), VadPart(), None)
    heard: list[Heard] = []
    for number, frame in enumerate(frames):
        heard += segmenter.hear(frame)
        if number == 19:
            heard += segmenter.flush()
    heard += segmenter.flush()
    assert kinds([t for t in heard if not isinstance(t, Loudness)]) == [
        *("SpeechBegan", "SpeechFinished", "Utterance") * 2
    ]
    spoken = joined([word.audio for word in of(Utterance, heard)])
    assert np.array_equal(spoken, joined(frames))


def test_a_flush_in_silence_says_nothing() -> None:
    assert list(Segmenter(Scripted([]), VadPart(), None).flush()) == []


def test_an_utterance_grows_while_somebody_speaks() -> None:
    heard = segmented([*SILENCE, *[1.0] * 100, *SILENCE], interval=0.5)
    grown, (word,) = of(Growing, heard), of(Utterance, heard)
    assert len(grown) == 7
    assert all(small.end < large.end for small, large in pairwise(grown))
    for snapshot in grown:
        assert snapshot.utterance == word.utterance
        assert (snapshot.start, snapshot.audio_start) == (word.start, word.audio_start)
        assert np.array_equal(snapshot.audio, word.audio[: len(snapshot.audio)])


def test_silence_is_no_growth() -> None:
    heard = segmented([*[1.0] * 30, *[0.0] * 60], VadPart(min_silence_duration=1.5), interval=0.1)
    ends = [snapshot.end for snapshot in of(Growing, heard) if not snapshot.paused]
    assert len(ends) == len(set(ends))


def test_without_an_interval_nothing_grows_but_in_a_pause() -> None:
    grown = of(Growing, segmented([*YES * 10, *SILENCE], interval=None))
    assert [one.paused for one in grown] == [True]


def test_what_is_given_in_a_pause_is_the_utterance_if_silence_holds() -> None:
    heard = segmented([*[1.0] * 30, *[0.0] * 10, *[1.0] * 30, *SILENCE], interval=None)
    (word,) = of(Utterance, heard)
    first, last = of(Growing, heard)
    assert (last.start, last.end, last.audio_start) == (word.start, word.end, word.audio_start)
    assert np.array_equal(last.audio, word.audio)
    assert len(first.audio) < len(word.audio)


def test_long_speech_is_cut_and_goes_on_without_a_new_beginning() -> None:
    frames = numbered(150)
    heard = segmented([1.0] * 150, SHORT, frames=frames)
    pieces = of(Utterance, heard)
    assert len(of(SpeechBegan, heard)) == 1
    assert [piece.utterance for piece in pieces] == list(range(1, len(pieces) + 1))
    assert [piece.cut for piece in pieces] == [True] * (len(pieces) - 1) + [False]
    (finished,) = of(SpeechFinished, heard)
    assert (finished.start, finished.utterance) == (0, len(pieces))
    assert np.array_equal(joined([piece.audio for piece in pieces]), joined(frames))


def test_a_long_utterance_is_cut_in_its_pause() -> None:
    frames = [np.full(FRAME, 5000, np.int16) for _ in range(100)]
    frames[50:54] = [np.full(FRAME, 10, np.int16)] * 4
    first = of(Utterance, segmented([1.0] * 100, SHORT, frames=frames))[0]
    assert len(first.audio) == 52 * FRAME


def test_what_is_left_after_a_cut_is_transcribed_however_short() -> None:
    heard = segmented([*[1.0] * 62, *SILENCE], SHORT)
    first, rest = of(Utterance, heard)
    assert rest.end == pytest.approx(62 * A_FRAME)
    assert np.array_equal(
        joined([first.audio, rest.audio]),
        joined(numbered(102))[: len(first.audio) + len(rest.audio)],
    )


def test_silence_left_after_a_cut_is_not_an_utterance() -> None:
    patient = VadPart(max_utterance=2, min_silence_duration=5)
    heard = segmented([*YES, *[0.0] * 400], patient)
    assert [word.cut for word in of(Utterance, heard)] == [True]
    assert of(SpeechFinished, heard)[0].utterance == 1


@given(
    frames=st.integers(1, 400),
    seed=st.integers(0, 1000),
    longest=st.floats(2, 5),
    detected=st.booleans(),
)
@settings(deadline=None, max_examples=60)
def test_cut_utterances_joined_are_the_sound(
    frames: int, seed: int, longest: float, detected: bool
) -> None:
    sound = np.random.default_rng(seed).integers(-3000, 3000, (frames, FRAME), dtype=np.int16)
    vad = VadPart(max_utterance=longest, min_speech_duration=0.03)
    heard = segmented([1.0] * frames if detected else frames, vad, frames=list(sound))
    pieces = of(Utterance, heard)
    if detected and frames < 2:
        assert not pieces
        return
    assert np.array_equal(joined([piece.audio for piece in pieces]), sound.reshape(-1))
    assert all(len(piece.audio) <= (longest + A_FRAME) * RATE for piece in pieces)


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.4, 0.7, 1.0]), st.integers(1, 40)), max_size=25))
@settings(deadline=None, max_examples=100)
def test_whatever_is_scored_utterances_are_apart_in_order_and_within_the_sound(
    runs: list[tuple[float, int]],
) -> None:
    scores = [score for score, count in runs for _ in range(count)]
    frames = numbered(len(scores))
    heard = segmented(scores, SHORT, interval=0.2, frames=frames)
    sound, at = joined([*frames, np.empty(0, np.int16)]), 0.0
    for word in of(Utterance, heard):
        first = round(word.audio_start * RATE)
        assert word.audio_start >= at
        assert word.audio_start <= word.start < word.end
        at = (first + len(word.audio)) / RATE
        assert word.end <= at
        assert np.array_equal(word.audio, sound[first : first + len(word.audio)])
    told = [kind for kind in kinds(heard) if kind.startswith("Speech")]
    assert told == ["SpeechBegan", "SpeechFinished"] * (len(told) // 2)


def test_without_a_detector_everything_is_an_utterance_and_no_speech_is_told() -> None:
    heard = segmented(5, flush=False)
    assert heard == []
    (everything,) = segmented(5)
    assert isinstance(everything, Utterance)
    assert np.array_equal(everything.audio, joined(numbered(5)))


def test_idle_listening_keeps_no_more_than_the_pre_speech() -> None:
    segmenter = Segmenter(Scripted([0.0] * 3000), VadPart(), 0.5)
    for frame in numbered(3000):
        list(segmenter.hear(frame))
    assert len(segmenter._kept) * A_FRAME < VadPart().pre_speech + 0.2
    assert segmenter.seconds == pytest.approx(96)


def test_levels_are_told_fifteen_times_a_second() -> None:
    segmenter = Segmenter(Scripted([0.25] * 100), VadPart(), None)
    square = np.tile(np.array([8192, -8192], np.int16), FRAME // 2)
    levels = [level for _ in range(100) for level in of(Loudness, list(segmenter.hear(square)))]
    assert len(levels) == 50
    assert [level.at for level in levels[:2]] == [2 * A_FRAME, 4 * A_FRAME]
    assert levels[0].rms_dbfs == pytest.approx(-12.04, abs=0.01)
    assert levels[0].peak_dbfs == pytest.approx(-12.04, abs=0.01)
    assert levels[0].scores.speech == 0.25
    assert not levels[0].speaking
    assert levels[0].threshold == Scripted([]).start
    assert levels[0].floor_dbfs == pytest.approx(-12.04, abs=0.01)


def test_digital_silence_has_a_level_and_so_has_the_loudest_sample() -> None:
    segmenter = Segmenter(None, VadPart(), None)
    zeros, full = np.zeros(FRAME, np.int16), np.full(FRAME, -32768, np.int16)
    heard = [thing for frame in (zeros, zeros, full, full) for thing in segmenter.hear(frame)]
    silent, loud = of(Loudness, heard)
    assert (silent.rms_dbfs, silent.peak_dbfs) == (FLOOR_DBFS, FLOOR_DBFS)
    assert (loud.rms_dbfs, loud.peak_dbfs) == (0, 0)
    assert loud.floor_dbfs == FLOOR_DBFS
    assert loud.threshold is None


def test_the_lamp_is_lit_while_somebody_speaks() -> None:
    segmenter = Segmenter(Scripted([*[0.0] * 4, *YES, *SILENCE]), VadPart(), None)
    levels = [
        level.speaking
        for frame in numbered(56)
        for level in of(Loudness, list(segmenter.hear(frame)))
    ]
    assert levels[:2] == [False, False]
    assert levels[2:8] == [True] * 6
    assert not levels[-1]


def test_the_quietest_place_is_near_the_end_and_the_last_of_equals() -> None:
    assert quietest([1.0] * 300) == 298
    powers = [1.0] * 300
    powers[10:20] = [0.0] * 10
    powers[220:224] = [0.1] * 4
    assert quietest(powers) == 222


def retuned(
    before: list[float],
    after: list[float],
    vad: VadPart,
    detector: Scripted | None,
    interval: float | None = None,
) -> list[Heard]:
    """Return what is heard of scores whose settings change between two frames."""
    segmenter = Segmenter(Scripted(before), VadPart(), None)
    frames = numbered(len(before) + len(after))
    heard = [thing for frame in frames[: len(before)] for thing in segmenter.hear(frame)]
    heard += segmenter.tune(detector, vad, interval)
    heard += [thing for frame in frames[len(before) :] for thing in segmenter.hear(frame)]
    heard += segmenter.flush()
    return [thing for thing in heard if not isinstance(thing, Loudness)]


def test_other_thresholds_count_from_the_next_frame() -> None:
    middling = [0.45] * 40
    assert not of(SpeechBegan, segmented([*middling, *middling]))
    bold = Scripted([*middling, *SILENCE])
    bold.start, bold.hold, bold.sure = 0.4, 0.3, 0.42
    (began,) = of(SpeechBegan, retuned(middling, [*middling, *SILENCE], VadPart(), bold))
    assert began.confidence == pytest.approx(0.45)


def test_another_silence_ends_what_is_being_said() -> None:
    heard = retuned(
        [*YES, *SILENCE[:4]],
        [*SILENCE[:8], *YES, *SILENCE],
        VadPart(min_silence_duration=0.2),
        Scripted([*SILENCE[:8], *YES, *SILENCE]),
    )
    assert len(of(Utterance, heard)) == 2
    assert len(of(Utterance, segmented([*YES, *SILENCE[:12], *YES, *SILENCE]))) == 1


def test_what_is_being_said_outlives_settings_that_would_not_hear_it() -> None:
    deaf = Scripted([0.6] * 10 + SILENCE)
    deaf.start = deaf.hold = deaf.sure = 0.99
    vad = VadPart(min_speech_duration=5)
    heard = retuned(YES, [0.6] * 10 + SILENCE, vad, deaf)
    (word,) = of(Utterance, heard)
    assert word.start == 0
    assert [thing.heard for thing in of(SpeechFinished, heard)] == [True]


def test_without_its_detector_what_is_being_said_is_finished_first() -> None:
    heard = retuned(YES, [0.0] * 20, VadPart(enabled=False), None)
    assert kinds(heard) == ["SpeechBegan", "SpeechFinished", "Utterance", "Utterance"]
    first, second = of(Utterance, heard)
    assert len(joined([first.audio, second.audio])) == (12 + 20) * FRAME


def test_a_stream_that_is_tuned_again_and_again_loses_no_sample() -> None:
    segmenter = Segmenter(None, VadPart(), None)
    heard: list[Heard] = []
    for number, frame in enumerate(numbered(300)):
        heard += segmenter.hear(frame)
        heard += segmenter.tune(None, VadPart(max_utterance=2 + number % 5), 0.2)
    heard += segmenter.flush()
    sound = np.concatenate([word.audio for word in of(Utterance, heard)])
    assert np.array_equal(sound, joined(numbered(300)))
