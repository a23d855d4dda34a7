import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import events
from common.events import (
    Level,
    MalformedEvent,
    Transcription,
    Unknown,
    Welcome,
    encode,
    parse,
)

FINAL = Transcription(
    text="hello", is_final=True, utterance_id="s-1", start=0.5, end=1.5, session_id="s", seq=7
)


def test_an_event_is_one_flat_object_and_comes_back_the_same() -> None:
    fields = json.loads(encode(FINAL))
    assert fields["event"] == "transcription"
    assert fields["confidence"] is None
    assert parse(encode(FINAL)) == FINAL


def test_only_durable_events_are_numbered() -> None:
    level = Level(rms_dbfs=-20, peak_dbfs=-10, speech=0.1, speaking=False)
    assert "seq" not in json.loads(encode(level))
    assert not level.numbered()
    assert FINAL.numbered()
    assert not FINAL.model_copy(update={"is_final": False}).numbered()


def test_unknown_fields_are_ignored_and_unknown_events_are_kept() -> None:
    assert parse(encode(FINAL)[:-1] + ',"mood":"good"}') == FINAL
    strange = parse('{"event":"weather","timestamp":1,"rain":true}')
    assert isinstance(strange, Unknown)
    assert strange.model_extra == {"rain": True}


def test_numbers_that_json_cannot_hold_become_null() -> None:
    loud = Level(rms_dbfs=float("nan"), peak_dbfs=float("inf"), speech=0, speaking=False)
    assert json.loads(encode(loud))["rms_dbfs"] is None


@pytest.mark.parametrize(
    "text", ["", "[]", "3", "{}", '{"event":3}', '{"event":"transcription"}', "\ud800", "{" * 9000]
)
def test_what_is_no_event_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(MalformedEvent):
        parse(text)


@given(st.text() | st.binary())
def test_nothing_but_malformed_event_is_raised(text: str | bytes) -> None:
    try:
        parse(text)
    except MalformedEvent as error:
        assert str(error)


def test_every_event_tells_its_type() -> None:
    assert "welcome" in events.EVENT_NAMES
    assert len(set(events.EVENT_NAMES)) == 12
    assert Welcome.model_fields["event"].default == "welcome"
