"""Finding what was said: by words, session, time and number, in pages and as files."""

import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from backend.history import History, readers, search
from backend.problems import Problem
from common.history import ExportQuery, HistoryPageQuery, PastSessionsQuery
from tests.backend.history.made import final, opened, say

SAID = (
    "Turn on the lights",
    "turn the lights off",
    "Ça va très bien",
    "don't stop",
    "明日の天気はどうですか",
    "a b c",
)


async def found(history: History, **query: Any) -> list[str]:
    wanted = HistoryPageQuery(**{"order": "oldest", "limit": 1000, **query})
    return [said.text for said in (await history.read(search.find, wanted)).utterances]


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("lights", SAID[:2]),
        ("LIGH", SAID[:2]),
        ("lights turn", SAID[:2]),
        ('"turn on"', SAID[:1]),
        ('"turn on" li', SAID[:1]),
        ('"turn on', SAID[:1]),
        ("ca tres", SAID[2:3]),
        ("don't", SAID[3:4]),
        ("天気", SAID[4:5]),
        ("天気 turn", ()),
        ("nothing of that kind", ()),
        ("lights OR stop", ()),
        ("", SAID),
        ("  ", SAID),
    ],
)
async def test_words_are_found_by_their_beginnings(
    tmp_path: Path, q: str, expected: tuple[str, ...]
) -> None:
    async with opened(tmp_path) as (history, bus):
        await say(bus, *SAID)
        assert await found(history, q=q) == list(expected)


async def test_it_is_told_what_a_session_listened_to_and_with_what(tmp_path: Path) -> None:
    async with opened(tmp_path) as (history, bus):
        await say(bus, "one")
        bus.publish(final("from nowhere", "x-1", "x"))
        await bus.settle()
        page = await history.read(search.find, HistoryPageQuery(q="one"))
        alone = await history.read(search.one, page.utterances[0].seq)
        assert alone == page.utterances[0]
        assert (alone.source, alone.profile) == ("stream", "dictation")
        (lost,) = (await history.read(search.find, HistoryPageQuery(q="nowhere"))).utterances
        assert (lost.source, lost.profile) == (None, None)


@pytest.mark.parametrize(
    "q", ['"', '""', '"" x', "*", "a*b", "NEAR(", "(", "text:x", "-", "\0", "^"]
)
async def test_no_words_break_the_search(tmp_path: Path, q: str) -> None:
    async with opened(tmp_path) as (history, bus):
        await say(bus, *SAID)
        assert set(await found(history, q=q)) <= set(SAID)


async def test_pages_hang_together_both_ways(tmp_path: Path) -> None:
    async with opened(tmp_path) as (history, bus):
        await say(bus, *(f"number {number}" for number in range(25)))
        for order, cursor in (("newest", "before"), ("oldest", "after")):
            texts: list[str] = []
            more: dict[str, int] = {}
            while True:
                query = HistoryPageQuery.model_validate({"order": order, "limit": 10, **more})
                page = await history.read(search.find, query)
                texts += [said.text for said in page.utterances]
                if page.next is None:
                    break
                more = {cursor: page.next}
            expected = [f"number {number}" for number in range(25)]
            assert texts == (expected if order == "oldest" else expected[::-1])


async def test_session_time_and_number_narrow_it_down(tmp_path: Path) -> None:
    now = time.time()
    async with opened(tmp_path) as (history, bus):
        await say(bus, "old", session="a", timestamp=now - 100)
        await say(bus, "new", session="b", timestamp=now)
        assert await found(history, session="a") == ["old"]
        assert await found(history, told_from=now - 50) == ["new"]
        assert await found(history, told_until=now - 50) == ["old"]
        number = bus.recent[0].seq
        assert await found(history, after=number) == ["new"]
        assert await found(history, before=number) == []


async def test_an_utterance_is_what_was_told(tmp_path: Path) -> None:
    words = [{"text": "hi", "start": 0.1, "end": 0.2, "confidence": 0.5}]
    async with opened(tmp_path) as (history, bus):
        await say(bus, "hi", confidence=0.5, words=words, language="en", engine="e")
        told = bus.recent[0]
        said = await history.read(search.one, told.seq)
        assert said is not None
        assert said.model_dump(exclude={"audio", "source", "profile"}) == told.model_dump()
        assert await history.read(search.one, 1) is None


async def test_files_tell_sessions_of_one_id_apart(tmp_path: Path) -> None:
    async with opened(tmp_path) as (history, bus):
        await say(bus, "first", session="kitchen")
        await say(bus, "second", session="kitchen")
        text = await history.read(search.export, ExportQuery(format="txt"))
        assert text == "kitchen: first\nkitchen (2): second\n"
        sessions = (await history.read(search.sessions, PastSessionsQuery())).sessions
        assert [one.utterances for one in sessions] == [1, 1]


async def test_sessions_come_in_pages_the_newest_first(tmp_path: Path) -> None:
    async with opened(tmp_path) as (history, bus):
        for number in range(5):
            await say(bus, "hello", session=f"s{number}")
        page = await history.read(search.sessions, PastSessionsQuery(limit=3))
        assert [one.session_id for one in page.sessions] == ["s4", "s3", "s2"]
        rest = await history.read(search.sessions, PastSessionsQuery(limit=3, before=page.next))
        assert [one.session_id for one in rest.sessions] == ["s1", "s0"]
        assert rest.next is None


async def test_what_takes_too_long_is_broken_off_with_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "LONGEST", -1)

    def count(connection: sqlite3.Connection) -> object:
        rows = (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
        )
        return connection.execute(rows).fetchone()

    async with opened(tmp_path) as (history, _):
        with pytest.raises(Problem, match="ask for less"):
            await history.read(count)
