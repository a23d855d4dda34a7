import json
import math
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend.engines import Audio, Cancelled, EngineError, Reading, Wishes
from backend.engines.desk import Desk
from backend.engines.mlx_whisper import MlxWhisper, _reading
from backend.engines.whisper import Asked, Passage
from tests.backend.engines.sound import TINY, silence, spoken

pytest.importorskip("mlx_whisper", reason="mlx_whisper is not installed here")

SOON = 100.0
ENGLISH = Wishes(language="en")
SENTENCES = [
    "hello world",
    "jarvis turn the lights off",
    "one two three",
    "turn the lights on",
    "what time is it",
]
TEN = "one two three four five six seven eight nine ten"
FEW = ["one two three", "what time is it"]
PROMPTS = [
    "good morning jarvis. please resume the record",
    "Kubernetes, Grafana and Prometheus: a talk by Dr. Ångström.",
]


def quiet(stage: str, done: float, total: float | None) -> None:
    pass


def failure(folder: Path) -> str:
    """Return what a desk says of a model that it can't load."""
    desk = Desk(MlxWhisper(str(folder)))
    fault = desk.load(quiet).exception(SOON)
    assert desk.close()
    assert desk.state == "failed"
    assert isinstance(fault, EngineError)
    return str(fault)


def copied(folder: Path) -> Path:
    return Path(shutil.copytree(TINY, folder / "model"))


def quantized(folder: Path, bits: int) -> Path:
    """Return the model as mlx-community's quantized ones are."""
    import mlx.core as mx
    from mlx import nn
    from mlx.utils import tree_flatten
    from mlx_whisper.load_models import load_model

    copy, model = copied(folder), load_model(str(TINY), dtype=mx.float16)
    how = {"group_size": 64, "bits": bits}
    nn.quantize(model, **how)
    weights = dict(tree_flatten(model.parameters()))
    del weights["alignment_heads"]
    (copy / "weights.npz").unlink()
    mx.save_safetensors(str(copy / "weights.safetensors"), weights)
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "quantization": how}))
    return copy


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    desk = Desk(MlxWhisper(str(TINY)))
    desk.load(quiet).result(SOON)
    yield desk
    assert desk.close()


def heard(future: Future[Reading]) -> Reading:
    return future.result(SOON)


@pytest.mark.parametrize("words", SENTENCES)
def test_a_final_has_the_words_that_were_spoken(desk: Desk, words: str):
    reading = heard(desk.final(words, spoken(words), ENGLISH))
    assert reading.text == words
    assert reading.language == "en"
    assert reading.confidence is not None
    assert 0.5 < reading.confidence <= 1


def test_partials_grow_into_the_final(desk: Desk):
    sound = spoken("one two three")
    half = heard(desk.partial("a", sound[: len(sound) // 2], ENGLISH))
    assert half.text == "one two"
    assert heard(desk.partial("a", sound, ENGLISH)).text == "one two three"
    assert heard(desk.final("a", sound, ENGLISH)).text == "one two three"


def test_words_come_with_times_and_confidence(desk: Desk):
    sound = spoken("turn the lights on")
    reading = heard(desk.final("a", sound, Wishes(language="en", words=True)))
    assert [word.text for word in reading.words] == ["turn", "the", "lights", "on"]
    for word in reading.words:
        assert 0 <= word.start <= word.end <= len(sound) / 16_000
        assert word.confidence is not None
        assert 0 < word.confidence <= 1


def test_ten_words_are_read(desk: Desk):
    reading = heard(desk.final("a", spoken(TEN), Wishes(language="en", words=True)))
    assert reading.text == TEN
    starts = [word.start for word in reading.words]
    assert len(starts) == 10
    assert starts == sorted(starts)


@pytest.mark.parametrize("words", FEW)
def test_words_after_three_seconds_of_silence_are_read(desk: Desk, words: str):
    late = np.concatenate([silence(3), spoken(words)])
    reading = heard(desk.final("a", late, Wishes(language="en", words=True)))
    assert reading.text == words
    assert reading.words[-1].end > 3
    assert heard(desk.partial("b", late, ENGLISH)).text == words


@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_prompt_costs_no_words(desk: Desk, prompt: str):
    for words in FEW:
        asked = Wishes(language="en", prompt=prompt)
        assert heard(desk.final("a", spoken(words), asked)).text == words
        assert heard(desk.partial("b", spoken(words), asked)).text == words


@pytest.mark.parametrize("words", FEW)
def test_the_language_is_detected(desk: Desk, words: str):
    reading = heard(desk.final("a", spoken(words), Wishes()))
    assert (reading.text, reading.language) == (words, "en")
    assert reading.language_probability is not None
    assert 0.9 < reading.language_probability <= 1


@pytest.mark.parametrize("seconds", [0, 0.01, 2])
def test_silence_has_no_words(desk: Desk, seconds: float):
    reading = heard(desk.final("a", silence(seconds), ENGLISH))
    assert (reading.text, reading.confidence) == ("", None)


def test_noise_has_no_words(desk: Desk):
    noise = np.random.default_rng(0).normal(0, 600, 32_000).astype(np.int16)
    assert heard(desk.final("a", noise, ENGLISH)).text == ""
    assert heard(desk.partial("b", noise, ENGLISH)).text == ""


def test_silence_has_no_words_without_timestamps_either(desk: Desk):
    plain = Wishes(language="en", options={"without_timestamps": True})
    assert heard(desk.final("a", silence(2), plain)).text == ""
    assert heard(desk.partial("b", silence(2), ENGLISH)).text == ""


def test_a_cancel_in_the_middle_leaves_the_engine_usable(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    assert isinstance(desk.engine, MlxWhisper)
    looks, check = threading.Semaphore(0), desk.engine._interrupt.check

    def look() -> None:
        looks.release()
        check()

    monkeypatch.setattr(desk.engine._interrupt, "check", look)
    running = desk.final("long", np.tile(spoken("one two three"), 100), ENGLISH)
    for _ in range(5):  # One before it begins, three in the encoder: this is the decoder.
        assert looks.acquire(timeout=SOON)
    desk.cancel("long")
    assert isinstance(running.exception(SOON), Cancelled)
    assert heard(desk.final("b", spoken("hello world"), ENGLISH)).text == "hello world"


def test_a_final_stops_the_partial_before_it(desk: Desk):
    sound = spoken("hello world")
    partials = [desk.partial("a", np.tile(sound, 50), ENGLISH) for _ in range(2)]
    assert heard(desk.final("a", sound, ENGLISH)).text == "hello world"
    assert all(one.cancelled() or isinstance(one.exception(SOON), Cancelled) for one in partials)


def test_options_reach_the_decoder(desk: Desk):
    sound = spoken("what time is it")
    one_token = Wishes(language="en", options={"sample_len": 3, "temperature": [0.0, 0.2]})
    assert heard(desk.final("a", sound, one_token)).text == "what time"


def test_the_best_of_several_samples_is_for_finals_alone(desk: Desk):
    sound = spoken("what time is it")
    best = Wishes(language="en", options={"best_of": 2, "temperature": 0.2})
    assert heard(desk.partial("a", sound, best)).text == "what time is it"
    assert heard(desk.final("a", sound, best)).text == "what time is it"


@pytest.mark.parametrize(
    ("wishes", "told"),
    [
        (Wishes(options={"beem_size": 5}), "no option 'beem_size'"),
        (Wishes(options={"fp16": True}), "no option 'fp16'"),
        (Wishes(options={"temperature": []}), r"transcription.options: temperature"),
        (Wishes(language="qq"), "doesn't know the language 'qq'"),
    ],
)
def test_wishes_that_make_no_sense_are_refused(desk: Desk, wishes: Wishes, told: str):
    with pytest.raises(EngineError, match=told):
        heard(desk.final("a", silence(1), wishes))


def test_nothing_is_written_to_the_console(desk: Desk, capfd: pytest.CaptureFixture[str]):
    heard(desk.final("a", spoken("hello world"), ENGLISH))
    assert capfd.readouterr() == ("", "")


def test_two_engines_do_not_take_each_others_model(desk: Desk, tmp_path: Path):
    other = Desk(MlxWhisper(str(copied(tmp_path))))
    other.load(quiet).result(SOON)
    pairs = [
        (one.final("a", spoken(words), ENGLISH), words)
        for one, words in zip((desk, other, desk), SENTENCES, strict=False)
    ]
    assert all(heard(future).text == words for future, words in pairs)
    assert other.close()


def test_an_engine_loads_again_after_unloading():
    engine = MlxWhisper(str(TINY))
    for _ in range(2):
        desk = Desk(engine)
        desk.load(quiet).result(SOON)
        assert heard(desk.final("a", spoken("hello world"), ENGLISH)).text == "hello world"
        assert desk.close()


@pytest.mark.parametrize("bits", [4, 8])
def test_a_quantized_model_is_loaded_and_reads_the_same_words(tmp_path: Path, bits: int):
    desk = Desk(MlxWhisper(str(quantized(tmp_path, bits))))
    desk.load(quiet).result(SOON)
    memory = desk.engine.memory()
    assert memory is not None
    assert memory > 100_000
    for words in FEW:
        assert heard(desk.final("a", spoken(words), ENGLISH)).text == words
    assert desk.close()
    assert desk.engine.memory() is None


def test_a_missing_folder_is_told(tmp_path: Path):
    assert "there is no folder" in failure(tmp_path / "gone")


def test_a_broken_config_is_told(tmp_path: Path):
    folder = copied(tmp_path)
    (folder / "config.json").write_text("{")
    assert "can't be read" in failure(folder)


def test_truncated_weights_are_told(tmp_path: Path):
    folder = copied(tmp_path)
    weights = (TINY / "weights.npz").read_bytes()
    (folder / "weights.npz").write_bytes(weights[: len(weights) // 2])
    assert "can't be read" in failure(folder)


def test_missing_tensors_are_told(tmp_path: Path):
    folder = copied(tmp_path)
    weights = dict(np.load(TINY / "weights.npz"))
    del weights["encoder.conv1.weight"]
    np.savez(folder / "weights.npz", **weights)
    assert "lack 1 tensors: encoder.conv1.weight" in failure(folder)


def test_weights_of_another_size_are_told(tmp_path: Path):
    folder = copied(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "n_mels": 128}))
    assert "doesn't fit its config.json" in failure(folder)


def test_a_random_checkpoint_is_refused(tmp_path: Path):
    folder, random = copied(tmp_path), np.random.default_rng(0)
    weights = {
        name: (random.standard_normal(value.shape) * 0.02).astype(value.dtype)
        for name, value in np.load(TINY / "weights.npz").items()
    }
    np.savez(folder / "weights.npz", **weights)
    assert "random weights" in failure(folder)


def test_a_quantized_model_that_was_cut_off_is_refused(tmp_path: Path):
    folder = quantized(tmp_path, 4)
    weights = folder / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    assert "weights.safetensors is damaged: it has" in failure(folder)


def passage(text: str, logprob: float, tokens: int = 4) -> Passage:
    return Passage(text, tokens, "en", 0.9, logprob, 0.0, 1.0)


def test_numbers_that_are_none_are_a_breakdown_and_the_final_is_read_once_more(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    read, crashes, broken = desk.engine._whisper.read, [], [False, True]

    def once(utterance: str, audio: Audio, asked: Asked) -> list[Passage]:
        passages = read(utterance, audio, asked)
        return [replace(passages[0], logprob=math.nan)] if broken.pop() else passages

    monkeypatch.setattr(desk.engine._whisper, "read", once)
    reading = heard(desk.final("a", spoken("hello world"), ENGLISH, crashes.append))
    assert reading.text == "hello world"
    assert len(crashes) == 1
    assert "NaN" in crashes[0]


def test_garbage_is_not_text():
    garbage = [passage("!!!!", -0.1), passage("hello", float("nan"))]
    nothing = _reading(garbage, detected=False)
    assert nothing == Reading("", language="en", refused="nonsense")
    mixed = _reading([*garbage, passage("Stop!", -0.1)], detected=True)
    assert mixed.text == "Stop!"
    assert mixed.confidence == pytest.approx(math.exp(-0.1))
    assert mixed.language_probability == 0.9


def test_what_is_said_again_and_again_is_said_once():
    loop = _reading([passage("I know. I know. I know. I know.", -0.1)], detected=False)
    assert (loop.text, loop.refused) == ("I know.", "repetition")
