"""Finals posted to a URL: signed, in order, once, and what is not taken is put aside."""

import base64
import hashlib
import hmac
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from backend.history import search
from backend.sinks import feed, places
from common.history import HistoryPageQuery
from tests.backend.history.made import until
from tests.backend.sinks.made import Receiver, Speaking, life, receiving, until_it_is

SECRET = "whsec_" + base64.b64encode(b"a secret of ours").decode()


async def until_taken(receiver: Receiver, count: int) -> None:
    async def taken() -> int:
        return len(receiver.taken)

    await until(taken, lambda now: now >= count)


async def test_each_final_is_posted_signed_and_named(tmp_path: Path) -> None:
    async with receiving() as receiver:
        told = {"webhook_url": receiver.url, "webhook_secret": SECRET}
        async with life(tmp_path, **told) as (sinks, bus, history):
            await until_it_is(sinks, "up")
            await Speaking(bus).say(2)
            await until_taken(receiver, 2)
            status = await until_it_is(sinks, "up", lag=0)
            assert (status.delivered, status.seq) == (2, bus.seq)
            assert "s3cret" not in status.model_dump_json()
            page = await history.read(search.find, HistoryPageQuery(order="oldest"))
    for said, (headers, body) in zip(page.utterances, receiver.taken, strict=True):
        name, at = headers["Webhook-Id"], headers["Webhook-Timestamp"]
        assert name.endswith(f"-{said.seq}")
        assert headers["Idempotency-Key"] == name
        assert abs(int(at) - time.time()) < 60
        digest = hmac.new(b"a secret of ours", f"{name}.{at}.".encode() + body, hashlib.sha256)
        expected = "v1," + base64.b64encode(digest.digest()).decode()
        assert headers["Webhook-Signature"] == expected


async def test_it_begins_with_the_first_final_of_this_life_however_late_it_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said, find = threading.Event(), places.find

    def late(connection: sqlite3.Connection, name: str) -> int | None:
        assert said.wait(10)
        return find(connection, name)

    monkeypatch.setattr(places, "find", late)
    async with receiving() as receiver:
        async with life(tmp_path) as (_, bus, _):
            await Speaking(bus).say(1)
        async with life(tmp_path, webhook_url=receiver.url) as (_, bus, _):
            speaking = Speaking(bus)
            speaking.texts = ["before"]
            await speaking.say(2)
            said.set()
            await until_taken(receiver, 2)
    assert receiver.texts == ["number 1", "number 2"]


async def test_what_it_answers_500_to_comes_again_in_order_and_once(tmp_path: Path) -> None:
    async with receiving() as receiver:
        async with life(tmp_path, webhook_url=receiver.url) as (sinks, bus, _):
            await until_it_is(sinks, "up")
            speaking = Speaking(bus)
            async with speaking.on_and_on():
                await until_taken(receiver, 5)
                receiver.status = 500
                status = await until_it_is(sinks, "failing")
                assert "HTTP 500" in (status.fault or "")

                async def refused() -> int:
                    return receiver.refused

                await until(refused, lambda count: count >= 2)
                receiver.status = 200
                await until_it_is(sinks, "up")
            await until_it_is(sinks, "up", lag=0)
            assert receiver.texts == speaking.texts
            assert status.letters == 0


async def test_a_server_that_was_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    async with receiving() as receiver:
        told = {"webhook_url": receiver.url}
        async with life(tmp_path, **told) as (sinks, bus, _):
            await until_it_is(sinks, "up")
            await Speaking(bus).say(2)
            await until_it_is(sinks, "up", lag=0)
        async with life(tmp_path) as (_, bus, _):
            await Speaking(bus).say(3)
        async with life(tmp_path, **told) as (sinks, bus, _):
            await until_it_is(sinks, "up", lag=0)
            assert receiver.texts == [f"number {n}" for n in (0, 1, 0, 1, 2)]


async def test_the_first_time_it_begins_with_what_is_said_next(tmp_path: Path) -> None:
    async with life(tmp_path) as (_, bus, _):
        await Speaking(bus).say(3)
    async with receiving() as receiver:
        async with life(tmp_path, webhook_url=receiver.url) as (sinks, bus, _):
            await until_it_is(sinks, "up", lag=0)
            assert receiver.texts == []


async def test_what_it_refuses_is_put_aside_listed_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "FIRST_PAUSE", 0.01)
    async with receiving() as receiver:
        receiver.poison = "number 1"
        async with life(tmp_path, webhook_url=receiver.url) as (sinks, bus, _):
            await until_it_is(sinks, "up")
            speaking = Speaking(bus)
            await speaking.say(4)
            await until_it_is(sinks, "up", lag=0)
            assert receiver.texts == ["number 0", "number 2", "number 3"]
            assert receiver.refused == feed.TRIES
            (letter,) = await sinks.letters("webhook")
            assert (letter.text, letter.tries) == ("number 1", feed.TRIES)
            assert "HTTP 400" in letter.fault
            receiver.poison = ""
            assert await sinks.requeue("webhook") == 1
            await until_taken(receiver, 4)

            async def letters() -> int:
                return len(await sinks.letters("webhook"))

            await until(letters, lambda count: count == 0)
            assert receiver.texts[-1] == "number 1"
            await speaking.say(1)
            await until_taken(receiver, 5)
            assert receiver.texts[-1] == "number 4"


async def test_nobody_is_tried_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "FIRST_PAUSE", 0.01)
    async with receiving() as receiver:
        receiver.status = 503
        receiver.headers = {"Retry-After": "0"}
        told = {"webhook_url": receiver.url, "webhook_hours": 1e-6}
        async with life(tmp_path, **told) as (sinks, bus, _):
            await Speaking(bus).say(1)

            async def letters() -> int:
                return len(await sinks.letters("webhook"))

            await until(letters, lambda count: count == 1)


async def test_what_is_deleted_from_history_is_not_delivered_any_more(tmp_path: Path) -> None:
    async with receiving() as receiver:
        receiver.status = 500
        async with life(tmp_path, webhook_url=receiver.url) as (sinks, bus, history):
            await until_it_is(sinks, "up")
            speaking = Speaking(bus)
            await speaking.say(3)
            await until_it_is(sinks, "failing")
            await history.delete_all()
            receiver.status = 200
            await speaking.say(1)
            await until_it_is(sinks, "up", lag=0)
            assert receiver.texts == ["number 3"]
