import json
import re
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.events import Transcription
from common.export import FORMATS, as_markdown, clock, export

NOON = 1_767_268_800.0


def said(
    text: str, start: float, end: float, session: str = "s1", late: float = 1
) -> Transcription:
    return Transcription(
        text=text,
        is_final=True,
        utterance_id=f"{session}-{start}",
        start=start,
        end=end,
        session_id=session,
        timestamp=NOON + end + 1,
        confidence=0.9,
        language="en",
    )


TWO = [said("hello world", 0.5, 1.25), said("a <b> & --> c", 3661.0009, 3662)]


def test_text_is_a_line_an_utterance() -> None:
    assert export("txt", TWO) == "hello world\na <b> & --> c\n"


def test_subrip_numbers_from_one_and_writes_milliseconds_after_a_comma() -> None:
    assert export("srt", TWO) == (
        "1\n00:00:00,500 --> 00:00:01,250\nhello world\n\n"
        "2\n01:01:01,001 --> 01:01:02,000\na <b> & --> c\n"
    )


def test_webvtt_has_its_header_and_escapes_what_it_reserves() -> None:
    assert export("vtt", TWO) == (
        "WEBVTT\n\n00:00:00.500 --> 00:00:01.250\nhello world\n\n"
        "01:01:01.001 --> 01:01:02.000\na &lt;b&gt; &amp; --&gt; c\n"
    )


def test_markdown_has_days_and_times_and_shows_signs_as_they_are() -> None:
    shown = as_markdown([said("*no* [link](x) <b>", 0, 1)], UTC)
    assert shown.startswith("# Transcript\n\n## 2026-01-01\n\n**12:00:02** ")
    assert r"\*no\* \[link\](x) \<b\>" in shown


def test_json_has_the_fields_of_the_wire() -> None:
    rows = json.loads(export("json", TWO))
    assert [row["text"] for row in rows] == ["hello world", "a <b> & --> c"]
    assert rows[0]["start"] == 0.5
    assert rows[0]["session_id"] == "s1"
    assert rows[0]["confidence"] == 0.9


def test_several_sessions_lie_beside_each_other_as_they_happened() -> None:
    # The second session begins when the first is 10 s old.
    other = [
        said(text, start, end, "s2").model_copy(update={"timestamp": NOON + 10 + end + 1})
        for text, start, end in (("second", 1.0, 2.0),)
    ]
    mixed = [*other, said("first", 2.0, 3.0), said("third", 20.0, 21.0)]
    assert export("txt", mixed) == "s1: first\ns2: second\ns1: third\n"
    assert "00:00:11.000 --> 00:00:12.000\n<v s2>second" in export("vtt", mixed)


def test_what_turned_out_to_be_nothing_is_left_out() -> None:
    nothing = [said("  ", 0, 1), said("", 1, 2)]
    assert export("txt", nothing) == ""
    assert export("srt", nothing) == ""
    assert export("vtt", nothing) == "WEBVTT\n"


def test_a_cue_always_lasts_and_stays_on_one_line() -> None:
    shown = export("srt", [said("one\n\ntwo\x1b[2J", 1, 1)])
    assert shown == "1\n00:00:01,000 --> 00:00:01,001\none two\ufffd[2J\n"


def test_an_unknown_kind_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ValueError, match="'doc'; there are txt, md, srt, vtt, json"):
        export("doc", TWO)


def test_milliseconds_carry_over() -> None:
    assert clock(59.9996, ",") == "00:01:00,000"
    assert clock(360_000, ".") == "100:00:00.000"


@given(st.lists(st.text(max_size=30), max_size=5))
def test_any_text_gives_files_that_keep_the_formats_rules(texts: list[str]) -> None:
    finals = [said(text, place, place + 1) for place, text in enumerate(texts)]
    files = {kind: export(kind, finals) for kind in FORMATS}
    for text in files.values():
        text.encode()
    cue = r"\d\d:\d\d:\d\d\.\d{3} --> \d\d:\d\d:\d\d\.\d{3}\n[^\n\r<>]+\n"
    assert re.fullmatch(rf"WEBVTT\n(\n{cue})*", files["vtt"])
    times = r"\d\d:\d\d:\d\d,\d{3} --> \d\d:\d\d:\d\d,\d{3}"
    assert re.fullmatch(rf"(\d+\n{times}\n[^\n\r]+\n(\n(?=\d)|$))*", files["srt"])
    assert len(json.loads(files["json"])) == sum(bool(text) for text in texts)
