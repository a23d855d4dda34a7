"""A final is in history before anyone is told, and what goes wrong is told."""

import asyncio
import os
import sqlite3
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.history import PATIENCE, History, search, writer
from backend.problems import Problem
from common.api import HistoryStatus
from common.events import Error, Level, Transcription, parse
from common.history import HistoryPageQuery, PastSessionsQuery
from tests.backend.history.made import EVERYTHING, final, next_of, opened, say, started, until

ALL = HistoryPageQuery(order="oldest", limit=1000)


async def texts(history: History) -> list[str]:
    page = await history.read(search.find, ALL)
    return [said.text for said in page.utterances]


def on_disk(folder: Path) -> list[str]:
    with sqlite3.connect(folder / "history.db") as connection:
        rows = connection.execute("SELECT text FROM utterances ORDER BY seq").fetchall()
    connection.close()
    return [text for (text,) in rows]


async def until_it_is(history: History, state: str) -> HistoryStatus:
    async def look() -> HistoryStatus:
        return history.status()

    return await until(look, lambda now: now.state == state and not (state == "on" and now.waiting))


async def test_a_final_is_on_disk_when_it_is_told(tmp_path: Path) -> None:
    async with opened(tmp_path) as (_, bus):
        with bus.subscribe(EVERYTHING) as subscription:
            for number in range(20):
                bus.publish(final(str(number)))
                told = await next_of(subscription)
                assert isinstance(told, Transcription)
                assert on_disk(tmp_path)[-1] == told.text == str(number)


async def test_what_comes_after_a_final_waits_behind_it_but_levels(tmp_path: Path) -> None:
    async with opened(tmp_path) as (_, bus):
        with bus.subscribe(EVERYTHING) as subscription:
            bus.publish(started())
            bus.publish(final("one"))
            bus.publish(final("on the way", "s-2").model_copy(update={"is_final": False}))
            bus.publish(Error(error="e", details="d"))
            bus.publish(final("two"))
            bus.publish(Level(rms_dbfs=-9, peak_dbfs=-9, speech=0, speaking=False))
            before = bus.seq
            await bus.settle()
            subscription.close()
            told = [parse(text) async for text in subscription]
    kinds = [event.event for event in told]
    assert kinds == [
        "session_started",
        "level",
        "transcription",
        "transcription",
        "error",
        "transcription",
    ]
    numbers = [event.seq for event in told if event.seq is not None]
    assert numbers == list(range(bus.first + 1, bus.first + 5))
    assert before == bus.first + 1, "nobody is told a number before its event"


async def test_many_finals_go_into_few_transactions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[int] = []
    really = writer.Writer._write

    def counted(self: writer.Writer, connection: sqlite3.Connection, batch: list[Any]) -> None:
        batches.append(len(batch))
        really(self, connection, batch)

    monkeypatch.setattr(writer.Writer, "_write", counted)
    async with opened(tmp_path) as (history, bus):
        for number in range(3000):
            bus.publish(final(str(number), f"s-{number}"))
        await bus.settle()
        assert len(on_disk(tmp_path)) == 3000
        assert history.status().lost == 0
    assert sum(batches) == 3000
    assert len(batches) < 300


async def test_numbers_grow_over_lives_even_if_the_clock_goes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as (_, bus):
        await say(bus, "before")
        last = bus.seq
    monkeypatch.setattr("backend.history.tables.time.time", lambda: 1_000_000.0)
    async with opened(tmp_path) as (history, bus):
        assert bus.first > last
        await say(bus, "after")
        assert await texts(history) == ["before", "after"]


async def test_a_session_of_a_life_that_was_cut_short_is_ended(tmp_path: Path) -> None:
    long_ago = time.time() - 5000
    async with opened(tmp_path) as (_, bus):
        bus.publish(started())
        bus.publish(final("last words", timestamp=long_ago))
        await bus.settle()
    async with opened(tmp_path) as (history, bus):
        bus.publish(started("new"))
        bus.publish(final("hello", session="new"))
        await bus.settle()
        new, old = (await history.read(search.sessions, PastSessionsQuery())).sessions
        assert (old.reason, old.ended) == ("cut off", long_ago)
        assert (new.session_id, new.ended, new.utterances) == ("new", None, 1)


async def test_a_second_server_leaves_the_folder_alone_and_says_so(tmp_path: Path) -> None:
    async with opened(tmp_path) as (_, bus), opened(tmp_path) as (other, stranger):
        assert other.status().state == "off"
        assert "STT_SERVER_DATA_DIR" in (other.status().fault or "")
        stranger.publish(final("not written"))
        await say(bus, "written")
        with pytest.raises(Problem, match="another server"):
            await texts(other)
    assert on_disk(tmp_path) == ["written"]


async def test_switched_off_it_touches_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path / "none", history=False) as (history, bus):
        await say(bus, "hello")
        assert history.status() == HistoryStatus(state="off")
        with pytest.raises(Problem, match="STT_SERVER_HISTORY"):
            await texts(history)
    assert not (tmp_path / "none").exists()


async def test_a_locked_file_is_told_of_and_written_once_it_is_free(tmp_path: Path) -> None:
    async with opened(tmp_path) as (history, bus):
        await say(bus, "before")
        with bus.subscribe(EVERYTHING) as subscription:
            other = sqlite3.connect(tmp_path / "history.db", isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            bus.publish(final("meanwhile", "s-2"))
            told = await next_of(subscription)
            assert isinstance(told, Transcription), "the words come all the same"
            complaint = await next_of(subscription)
            assert isinstance(complaint, Error)
            assert complaint.error == "History not written"
            assert "locked" in complaint.details
            status = await until_it_is(history, "failing")
            assert status.waiting == 1
            bus.publish(final("at once", "s-3"))
            assert bus.recent[-1].text == "at once", "nobody waits any longer"
            other.execute("COMMIT")
            other.close()
            await until_it_is(history, "on")
        assert await texts(history) == ["before", "meanwhile", "at once"]


async def test_a_full_disk_is_told_of_and_what_waited_is_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = True
    really = writer.open_for_writing

    def open_on_a_full_disk(path: Path) -> sqlite3.Connection:
        connection = really(path)
        if full:
            connection.execute("PRAGMA max_page_count = 30")
        return connection

    monkeypatch.setattr(writer, "open_for_writing", open_on_a_full_disk)
    async with opened(tmp_path) as (history, bus):
        for number in range(40):
            bus.publish(final("x" * 5000, f"s-{number}"))
        status = await until_it_is(history, "failing")
        assert "make room" in (status.fault or "")
        await asyncio.wait_for(bus.settle(), 1)
        full = False
        await until_it_is(history, "on")
        assert len(await texts(history)) == 40


@pytest.mark.parametrize(
    "content", [b"this is no database" * 500, b"SQLite format 3\0" + b"x" * 9000]
)
async def test_a_damaged_file_is_moved_aside(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "history.db").write_bytes(content)
    async with opened(tmp_path) as (history, bus):
        with bus.subscribe(EVERYTHING) as subscription:
            await say(bus, "hello")
            events = [await next_of(subscription) for _ in range(4)]
        assert any(isinstance(event, Error) for event in events)
        await until_it_is(history, "on")
        assert await texts(history) == ["hello"]
    aside = [path for path in tmp_path.iterdir() if ".damaged-" in path.name]
    assert [path.read_bytes() for path in aside] == [content]


async def test_a_file_that_disappears_is_noticed_and_made_anew(tmp_path: Path) -> None:
    async with opened(tmp_path) as (history, bus):
        await say(bus, "before")
        for path in tmp_path.glob("history.db*"):
            path.unlink()
        await say(bus, "after")

        async def found() -> list[str]:
            with suppress(Problem):  # It may be looked for before it is missed.
                return await texts(history)
            return []

        assert await until(found, bool) == ["after"]
        assert not (await history.told(bus.first, bus.seq + 1, 10))[1], "something is missing"


async def test_a_folder_that_cannot_be_written_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    async with opened(tmp_path / "file") as (history, bus):
        await say(bus, "hello")
        assert history.status().state == "failing"
        assert history.status().waiting == 3


async def test_what_cannot_be_written_costs_only_itself(tmp_path: Path) -> None:
    def fail(_: sqlite3.Connection) -> None:
        raise ValueError("of its own")

    async with opened(tmp_path) as (history, bus):
        bus.publish(final("one"))
        with pytest.raises(ValueError, match="of its own"):
            await history.write(fail)
        with pytest.raises(ValueError, match="surrogates"):
            bus.publish(final("\ud800", "s-2"))
        bus.publish(final("two", "s-3"))
        await bus.settle()
        assert await texts(history) == ["one", "two"]
        assert bus.seq == bus.first + 2, "what couldn't be told took no number"


async def test_a_disk_that_does_not_answer_holds_nobody_up_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.history.PATIENCE", PATIENCE / 20)
    async with opened(tmp_path) as (history, bus):
        loop = asyncio.get_running_loop()
        stuck = asyncio.Event()
        go_on = asyncio.Event()

        def hang(_: sqlite3.Connection) -> None:
            loop.call_soon_threadsafe(stuck.set)
            asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(10)

        hanging = asyncio.ensure_future(history.write(hang))
        await stuck.wait()
        with bus.subscribe(EVERYTHING) as subscription:
            bus.publish(final("hello"))
            kinds = [(await next_of(subscription)).event for _ in range(2)]
        assert sorted(kinds) == ["error", "transcription"]
        assert "answer" in (history.status().fault or "")
        go_on.set()
        await hanging
        await until_it_is(history, "on")
        assert await texts(history) == ["hello"]


async def test_what_is_deleted_is_told_nobody_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as (history, bus):
        await say(bus, "keep", "secret words")
        await say(bus, "other", session="t")
        secret = next(one for one in bus.recent if one.text == "secret words").seq
        assert secret is not None
        assert await history.delete(secret) == 1
        with pytest.raises(Problem, match="no utterance"):
            await history.delete(secret)
        assert [one.text for one in bus.recent] == ["keep", "other"]
        with bus.subscribe(EVERYTHING, since=bus.first) as subscription:
            subscription.close()
            assert not any("secret" in text for text in [text async for text in subscription])
        assert await history.delete_session("t") == 1
        assert await texts(history) == ["keep"]
        with pytest.raises(Problem, match="no session"):
            await history.delete_session("nobody")
        assert await history.delete_all() == 1
        overview = await history.overview()
        assert (overview.utterances, overview.sessions) == (0, 0)

        # Neither the rows nor the index hold the words any longer.
        async def files() -> bytes:
            return b"".join(path.read_bytes() for path in tmp_path.glob("history.db*"))

        await until(files, lambda content: b"secret" not in content)


async def test_deleting_a_session_that_listens_lets_it_go_on(tmp_path: Path) -> None:
    async with opened(tmp_path) as (history, bus):
        bus.publish(started())
        bus.publish(final("one"))
        await bus.settle()
        assert await history.delete_all() == 1
        bus.publish(final("two", "s-2"))
        await bus.settle()
        (session,) = (await history.read(search.sessions, PastSessionsQuery())).sessions
        assert (session.session_id, session.utterances) == ("s", 1)


async def test_sound_is_kept_as_flac_and_goes_with_its_words(tmp_path: Path) -> None:
    import soundfile

    sound = np.arange(-8000, 8000, dtype=np.int16)
    async with opened(tmp_path) as (history, bus):
        bus.publish(final("with"), sound)
        bus.publish(final("without", "s-2"))
        await bus.settle()
        with_sound, without = (await history.read(search.find, ALL)).utterances
        assert (with_sound.audio, without.audio) == (True, False)
        path = history.sound(with_sound.seq or 0)
        samples, rate = soundfile.read(path, dtype="int16")
        assert rate == 16000
        assert np.array_equal(samples, sound)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        await history.delete(with_sound.seq or 0)
        assert list(path.parent.iterdir()) == []


async def test_sound_that_cannot_be_kept_costs_no_words(tmp_path: Path) -> None:
    (tmp_path / "audio").write_text("in the way")
    async with opened(tmp_path) as (history, bus):
        with bus.subscribe(EVERYTHING) as subscription:
            bus.publish(final("hello"), np.zeros(1600, np.int16))
            told = [await next_of(subscription) for _ in range(2)]
        assert {event.event for event in told} == {"transcription", "error"}
        assert await texts(history) == ["hello"]


async def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as (_, bus):
        await say(bus, "hello")
        modes = {stat.S_IMODE(os.stat(path).st_mode) for path in tmp_path.glob("history.db*")}
    assert modes == {0o600}


async def test_an_old_number_is_answered_from_history(tmp_path: Path) -> None:
    async with opened(tmp_path) as (_, bus):
        await say(bus, "one", "two", "three")
        seen = next(one.seq for one in bus.recent if one.text == "one")
        assert seen
    async with opened(tmp_path) as (history, bus):
        told, whole = await history.told(seen, bus.oldest, 100)
        assert [parse(text).model_dump()["text"] for text in told] == ["two", "three"]
        assert whole
        assert (await history.told(seen, bus.oldest, 1)) == (told[:1], False)
        assert not (await history.told(1, bus.oldest, 100))[1], "before history began"
