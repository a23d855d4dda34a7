"""The OpenAI engine, through the real SDK, against a server on this machine."""

import gc
import logging
import math
import threading
import time
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from backend.engines import Audio, Cancelled, EngineError, Progress, Wishes
from backend.engines import openai as module
from backend.engines.openai import OpenAI, missing
from tests.openai_loopback import KEY, Answer, Loopback, openai_loopback
from tests.openai_protocol import LOGPROB, words

SOON = 10.0
PLAIN = Wishes()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    with openai_loopback() as loopback:
        for name, value in loopback.environment.items():
            monkeypatch.setenv(name, value)
        yield loopback
        assert loopback.broken == []


@pytest.fixture
def made() -> Iterator[list[OpenAI]]:
    engines: list[OpenAI] = []
    yield engines
    for engine in engines:
        engine.unload()


@pytest.fixture(autouse=True)
def nothing_secret_is_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(module, "FIRST_WAIT", 0.02)
    yield
    assert KEY not in caplog.text
    assert "Authorization" not in caplog.text
    assert "input_audio_buffer.append" not in caplog.text
    assert "fLaC" not in caplog.text


def quiet(stage: str, done: float, total: float | None) -> None: ...


def loaded(made: list[OpenAI], model: str | None = None, progress: Progress = quiet) -> OpenAI:
    engine = OpenAI(model) if model else OpenAI()
    made.append(engine)
    engine.load(progress)
    return engine


def sound(seconds: float) -> Audio:
    tone = np.sin(np.arange(round(seconds * 16_000)) / 20) * 8000
    return tone.astype(np.int16)


def said(seconds: float) -> str:
    return " ".join(words(seconds))


def until(check: Callable[[], bool]) -> None:
    late = time.monotonic() + SOON
    while not check():
        assert time.monotonic() < late
        time.sleep(0.01)


def partial_until(engine: OpenAI, audio: Audio, text: str, wishes: Wishes = PLAIN) -> None:
    """Ask until the words have come back."""
    until = time.monotonic() + SOON
    while engine.partial("u", audio, wishes).text != text:
        assert time.monotonic() < until, engine.partial("u", audio, wishes).text


def test_what_is_uploaded_is_read(server: Loopback, made: list[OpenAI]) -> None:
    reading = loaded(made).final("u", sound(2), PLAIN)
    assert (reading.text, reading.language, reading.confidence) == (said(2), "en", None)
    (upload,) = server.uploads
    assert (upload["model"], upload["response_format"]) == ("gpt-transcribe", "json")
    assert upload["seconds"] == pytest.approx(2)
    assert server.connections == 0


def test_confidence_is_the_tokens_geometric_mean(server: Loopback, made: list[OpenAI]) -> None:
    for model in ("gpt-4o-transcribe", "gpt-4o-mini-transcribe", "whisper-1"):
        reading = loaded(made, model).final("u", sound(2), PLAIN)
        assert reading.text == said(2)
        assert reading.confidence == pytest.approx(math.exp(LOGPROB))
    assert [one["model"] for one in server.uploads][-1] == "whisper-1"


def test_hints_are_given_as_each_model_takes_them(server: Loopback, made: list[OpenAI]) -> None:
    hints = Wishes(language="de", prompt="Zürich")
    for model in ("gpt-live-transcribe", "gpt-4o-transcribe", "whisper-1"):
        loaded(made, model).final("u", sound(1), hints)
    assert all(one["prompt"] == "Zürich" for one in server.uploads)
    assert [one.get("languages[]") for one in server.uploads] == [["de"], None, None]
    assert [one.get("language") for one in server.uploads] == [None, "de", "de"]


def test_whisper_tells_words_with_their_times(server: Loopback, made: list[OpenAI]) -> None:
    reading = loaded(made, "whisper-1").final("u", sound(1.5), Wishes(words=True))
    assert [(word.text, word.start, word.end) for word in reading.words] == [
        ("one", 0.0, 0.5),
        ("two", 0.5, 1.0),
        ("three", 1.0, 1.5),
    ]
    assert reading.language == "en"


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
def test_whisper_translates(server: Loopback, made: list[OpenAI]) -> None:
    wishes = Wishes(task="translate", language="de")
    assert loaded(made, "whisper-1").final("u", sound(1), wishes).text == said(1)


@pytest.mark.parametrize(
    ("wishes", "cure"),
    [
        (Wishes(words=True), "set transcription.model to whisper-1"),
        (Wishes(task="translate"), "set transcription.model to whisper-1"),
        (Wishes(options={"beam": 5}), "no options, such as 'beam'"),
    ],
)
def test_what_a_model_cannot_do_is_refused(wishes: Wishes, cure: str) -> None:
    with pytest.raises(EngineError, match=cure):
        OpenAI("gpt-4o-transcribe").check(wishes)


def test_partials_come_while_somebody_speaks(server: Loopback, made: list[OpenAI]) -> None:
    engine = loaded(made)
    partial_until(engine, sound(1), said(1))
    partial_until(engine, sound(2), said(2))
    reading = engine.final("u", sound(3), PLAIN)
    assert reading.text == said(3)
    assert server.streamed == pytest.approx(3, abs=0.01)
    assert (server.connections, server.uploads) == (1, [])
    assert server.sessions == [{"model": "gpt-live-transcribe"}]


def test_a_stream_tells_how_sure_it_is_where_the_model_can(
    server: Loopback, made: list[OpenAI]
) -> None:
    engine = loaded(made, "gpt-4o-transcribe")
    wishes = Wishes(language="en", prompt="numbers")
    assert engine.partial("u", sound(1), wishes).text == ""
    reading = engine.final("u", sound(2), wishes)
    assert (reading.text, reading.language) == (said(2), "en")
    assert reading.confidence == pytest.approx(math.exp(LOGPROB))
    assert server.uploads == []
    hints = {"model": "gpt-4o-transcribe", "language": "en", "prompt": "numbers"}
    assert server.sessions == [hints]


def test_utterances_of_several_sessions_do_not_mix(server: Loopback, made: list[OpenAI]) -> None:
    engine = loaded(made)
    engine.partial("a", sound(1), PLAIN)
    engine.partial("b", sound(2), PLAIN)
    assert engine.final("b", sound(2.5), PLAIN).text == said(2.5)
    assert engine.final("a", sound(1.5), PLAIN).text == said(1.5)
    assert server.connections == 2


def left_open(engine: OpenAI) -> list[str]:
    """Unload it, and return what was told of connections that it left."""
    gc.collect()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        engine.unload()
        gc.collect()
    return [text for text in (str(one.message) for one in told) if "unclosed" in text]


def test_unload_lets_a_session_say_goodbye(server: Loopback, made: list[OpenAI]) -> None:
    engine = loaded(made)
    engine.partial("u", sound(1), PLAIN)
    server.lag = 0.2
    assert engine.final("u", sound(1), PLAIN).text == said(1)
    assert left_open(engine) == []


def test_unload_waits_for_sessions_that_were_given_up(
    server: Loopback, made: list[OpenAI], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST", 1)
    engine = loaded(made)
    partial_until(engine, sound(1), said(1))
    server.lag = 60  # It isn't answered, and the next isn't let in.
    engine.partial("other", sound(1), PLAIN)
    assert len(engine._ending) == 1
    until(lambda: all(given_up._leaving for given_up in engine._ending))
    assert left_open(engine) == []


def test_unload_gives_up_on_a_network_that_stands_still(
    server: Loopback, made: list[OpenAI]
) -> None:
    engine = loaded(made)
    partial_until(engine, sound(1), said(1))
    server.lag = 60
    engine.partial("u", sound(200), PLAIN)  # More than all buffers on the way hold.
    until(engine._streams["u"]._sound.empty)
    left_open(engine)  # The connection is: what matters is that this ends, and well.


def test_whisper_is_not_streamed(server: Loopback, made: list[OpenAI]) -> None:
    engine = loaded(made, "whisper-1")
    assert engine.partial("u", sound(1), PLAIN).text == ""
    assert engine.final("u", sound(1), PLAIN).text == said(1)
    assert server.connections == 0


@pytest.mark.parametrize("trouble", ["fails", "errs", "hasty", "mute"])
def test_trouble_in_a_stream_costs_no_words(
    server: Loopback, made: list[OpenAI], trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER", 0.5)
    server.realtime = trouble
    engine = loaded(made)
    engine.partial("u", sound(1), PLAIN)
    assert engine.final("u", sound(2), PLAIN).text == said(2)
    assert len(server.uploads) == 1


def test_a_server_without_streams_is_asked_for_one_once(
    server: Loopback, made: list[OpenAI]
) -> None:
    server.realtime = "absent"
    engine = loaded(made)
    until = time.monotonic() + SOON
    while engine._can_stream:
        engine.partial("u", sound(1), PLAIN)
        assert time.monotonic() < until
    assert engine.final("u", sound(2), PLAIN).text == said(2)
    engine.partial("v", sound(1), PLAIN)
    assert server.connections == 1


def test_what_was_cut_short_says_nothing_of_the_next(server: Loopback, made: list[OpenAI]) -> None:
    engine = loaded(made)
    partial_until(engine, sound(3), said(3))
    assert engine.final("u", sound(2), PLAIN).text == said(2)


def test_a_click_of_sound_is_long_enough(server: Loopback, made: list[OpenAI]) -> None:
    engine = loaded(made)
    assert engine.final("u", sound(0.05), PLAIN).text == ""
    engine.partial("v", sound(0.02), PLAIN)
    assert engine.final("v", sound(0.05), PLAIN).text == ""


def test_a_cut_in_mid_utterance_costs_no_words(server: Loopback, made: list[OpenAI]) -> None:
    engine = loaded(made)
    partial_until(engine, sound(1), said(1))
    server.cut()
    engine.partial("u", sound(1.5), PLAIN)
    threading.Timer(0.2, server.mend).start()
    assert engine.final("u", sound(2), PLAIN).text == said(2)
    assert [round(one["seconds"]) for one in server.uploads] == [2]


def test_a_wrong_key_is_told_at_once(
    server: Loopback, made: list[OpenAI], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-key")
    with pytest.raises(EngineError, match=r"refuses the key in OPENAI_API_KEY \(401\)") as told:
        loaded(made)
    assert "sk-wrong" not in str(told.value)


def test_a_key_that_is_revoked_is_not_tried_again(server: Loopback, made: list[OpenAI]) -> None:
    engine = loaded(made)
    server.always = Answer(401, "invalid_api_key", f"Incorrect API key provided: {KEY}")
    with pytest.raises(EngineError, match="401") as told:
        engine.final("u", sound(1), PLAIN)
    assert KEY not in str(told.value)
    assert len(server.uploads) == 1


def test_a_key_for_speech_only_is_good_enough(server: Loopback, made: list[OpenAI]) -> None:
    server.checks.append(Answer(403, "missing_scope", "Missing scopes: api.model.read"))
    assert loaded(made).final("u", sound(1), PLAIN).text == said(1)


def test_a_model_that_is_not_there_is_told(server: Loopback, made: list[OpenAI]) -> None:
    with pytest.raises(EngineError, match=r"no model gpt-9.*transcription\.model"):
        loaded(made, "gpt-9")


def test_a_server_that_lists_no_models_may_have_them(server: Loopback, made: list[OpenAI]) -> None:
    server.checks.append(Answer(404, "not_found", "no such path"))
    assert loaded(made).final("u", sound(1), PLAIN).text == said(1)


def test_nobody_there_is_told(
    server: Loopback, made: list[OpenAI], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOADING", 0.2)
    server.cut()
    with pytest.raises(EngineError, match=r"127\.0\.0\.1 can't be reached.*tried \d+ times"):
        loaded(made)


def test_without_a_key_it_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert "export OPENAI_API_KEY=" in missing()
    with pytest.raises(EngineError, match="OPENAI_API_KEY"):
        OpenAI().load(quiet)


def test_retry_after_is_honored(server: Loopback, made: list[OpenAI]) -> None:
    engine = loaded(made)
    server.answers.append(Answer(429, "rate_limit_exceeded", "slow down", {"Retry-After": "1"}))
    assert engine.final("u", sound(1), PLAIN).text == said(1)
    first, second = server.uploads
    assert 1 <= second["at"] - first["at"] < 3


def test_a_longer_wait_than_patience_is_not_waited(server: Loopback, made: list[OpenAI]) -> None:
    engine = loaded(made)
    server.always = Answer(429, "rate_limit_exceeded", "slow down", {"Retry-After": "3600"})
    began = time.monotonic()
    with pytest.raises(EngineError, match=r"429: slow down.*asks to wait 3600 s"):
        engine.final("u", sound(1), PLAIN)
    assert time.monotonic() - began < SOON
    assert len(server.uploads) == 1


def test_spent_credit_is_told_apart_from_a_rate(server: Loopback, made: list[OpenAI]) -> None:
    engine = loaded(made)
    server.always = Answer(429, "insufficient_quota", "You exceeded your current quota")
    with pytest.raises(EngineError, match=r"credit .* is used up .*billing"):
        engine.final("u", sound(1), PLAIN)
    assert len(server.uploads) == 1


def test_trouble_of_the_server_s_own_passes(server: Loopback, made: list[OpenAI]) -> None:
    engine = loaded(made)
    server.answers += [Answer(500), Answer(503), Answer(408)]
    assert engine.final("u", sound(1), PLAIN).text == said(1)
    assert len(server.uploads) == 4


def test_trouble_that_lasts_is_told_when_patience_ends(
    server: Loopback, made: list[OpenAI], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.3)
    engine = loaded(made)
    server.always = Answer(500, message="oh")
    with pytest.raises(EngineError, match=r"trouble of its own \(500: oh\) \(tried \d+ times"):
        engine.final("u", sound(1), PLAIN)
    server.always = None
    assert engine.final("u", sound(1), PLAIN).text == said(1)


def test_where_another_engine_stands_by_it_gives_up_soon(
    server: Loopback, made: list[OpenAI], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HURRY", 0.2)
    monkeypatch.setattr(module, "GLANCE", 0.5)
    engine = loaded(made)
    server.always = Answer(500)
    spare = Wishes(spare=True)
    with pytest.raises(EngineError, match="tried"):
        engine.final("u", sound(1), spare)
    assert len(server.uploads) > 1
    server.hold.clear()
    with pytest.raises(EngineError, match="didn't answer in time"):
        engine.final("v", sound(2), spare)
    assert [round(one["seconds"]) for one in server.uploads].count(2) == 1


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(403, "unsupported_country", "not from here"), "doesn't allow.*not from here"),
        (Answer(400, "bad", "audio is broken"), r"refuses the request \(400: audio is broken\)"),
        (Answer(200, text="<html>Sign in to the airport</html>"), "not its protocol.*BASE_URL"),
    ],
)
def test_what_does_not_pass_is_told_at_once(
    server: Loopback, made: list[OpenAI], answer: Answer, told: str
) -> None:
    engine = loaded(made)
    server.always = answer
    with pytest.raises(EngineError, match=told):
        engine.final("u", sound(1), PLAIN)
    assert len(server.uploads) == 1


def test_a_server_that_tells_the_key_does_not_make_us_tell_it(
    server: Loopback, made: list[OpenAI]
) -> None:
    engine = loaded(made)
    server.always = Answer(400, "bad", f"got Bearer {KEY} and {'x' * 1000}")
    with pytest.raises(EngineError, match="got Bearer …") as told:
        engine.final("u", sound(1), PLAIN)
    assert KEY not in str(told.value)
    assert len(str(told.value)) < 400


def test_a_call_is_broken_off_wherever_it_waits(server: Loopback, made: list[OpenAI]) -> None:
    engine = loaded(made)
    server.hold.clear()
    began = time.monotonic()

    def break_off() -> None:
        assert server.waiting.acquire(timeout=SOON)
        engine.cancel()

    breaking = threading.Thread(target=break_off)
    breaking.start()
    with pytest.raises(Cancelled):
        engine.final("u", sound(1), PLAIN)
    breaking.join()
    assert time.monotonic() - began < 3
    server.hold.set()
    assert engine.final("u", sound(1), PLAIN).text == said(1)


def test_a_wait_for_the_next_try_is_broken_off(server: Loopback, made: list[OpenAI]) -> None:
    engine = loaded(made)
    server.always = Answer(429, headers={"Retry-After": "30"})

    def break_off() -> None:
        assert server.waiting.acquire(timeout=SOON)
        engine.cancel()

    breaking = threading.Thread(target=break_off)
    breaking.start()
    with pytest.raises(Cancelled):
        engine.final("u", sound(1), PLAIN)
    breaking.join()


def test_a_cancel_sticks_until_a_call_has_met_it(server: Loopback, made: list[OpenAI]) -> None:
    engine = loaded(made)
    engine.cancel()
    with pytest.raises(Cancelled):
        engine.final("u", sound(1), PLAIN)
    assert engine.final("u", sound(1), PLAIN).text == said(1)


def test_it_can_be_loaded_again(server: Loopback, made: list[OpenAI]) -> None:
    engine = loaded(made)
    partial_until(engine, sound(1), said(1))
    engine.unload()
    engine.load(quiet)
    assert engine.final("u", sound(1), PLAIN).text == said(1)
