"""History is kept for so many days and so many bytes."""

import time
from pathlib import Path

import numpy as np

from backend.history import History, search
from common.history import HistoryPageQuery, PastSessionsQuery
from tests.backend.history.made import final, opened, say, until

DAY = 86400


async def texts(history: History) -> list[str]:
    query = HistoryPageQuery(order="oldest", limit=1000)
    return [said.text for said in (await history.read(search.find, query)).utterances]


async def test_what_is_too_old_goes_with_its_session_and_its_sound(tmp_path: Path) -> None:
    old = time.time() - 8 * DAY
    async with opened(tmp_path, history_days=0) as (history, bus):
        await say(bus, "old", "also old", session="a", timestamp=old)
        bus.publish(final("sound", "b-1", "b", timestamp=old), np.zeros(1600, np.int16))
        await say(bus, "new", session="b")
        assert len(await texts(history)) == 4
    with_old = bus.first
    async with opened(tmp_path, history_days=7) as (history, bus):
        await until(lambda: texts(history), lambda found: len(found) == 1)
        assert await texts(history) == ["new"]
        assert not (await history.told(with_old, bus.oldest, 100))[1], "a gap is told"
        assert list((tmp_path / "audio").iterdir()) == []


async def test_an_empty_session_that_is_too_old_goes_too(tmp_path: Path) -> None:
    async with opened(tmp_path) as (history, bus):
        await say(bus, session="a")
        await history.write(lambda _: None)  # What was asked for before is done by then.
        assert len((await history.read(search.sessions, PastSessionsQuery())).sessions) == 1
    async with opened(tmp_path, history_days=1e-9) as (history, _):

        async def sessions() -> int:
            return len((await history.read(search.sessions, PastSessionsQuery())).sessions)

        await until(sessions, lambda count: count == 0)


async def test_what_is_too_much_goes_the_oldest_first(tmp_path: Path) -> None:
    async with opened(tmp_path, history_mb=0) as (history, bus):
        await say(bus, *(f"{number} " + "x" * 900 for number in range(3000)))
    async with opened(tmp_path, history_mb=2) as (history, bus):

        async def size() -> int:
            return history.status().bytes

        await until(size, lambda size: 0 < size < 2 << 20)
        left = (await history.overview()).utterances
        assert 0 < left < 3000
        newest = HistoryPageQuery(limit=1)
        assert (await history.read(search.find, newest)).utterances[0].text.startswith("2999 ")


async def test_sound_that_belongs_to_nothing_is_swept_away(tmp_path: Path) -> None:
    (tmp_path / "audio").mkdir()
    for name in ("17.flac", "notes.txt"):
        (tmp_path / "audio" / name).write_bytes(b"left behind")

    async def there() -> bool:
        return (tmp_path / "audio" / "17.flac").exists()

    async with opened(tmp_path):
        await until(there, lambda exists: not exists)
    assert (tmp_path / "audio" / "notes.txt").exists(), "nothing of others"
