"""What is answered before Quart: nobody can tell the difference."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from quart.typing import TestAppProtocol as Served

from backend.app import POLLED, create_app
from backend.security import BURST
from backend.settings import Settings

PAGE = "http://page.example"
TOKEN = "a-secret-of-length"
PATHS = ["/health", *POLLED]
PASSING = {"timestamp", "uptime"}
"""What isn't the same a moment later."""


def settings(**given: object) -> Settings:
    return Settings.model_validate({"history": False, **given})


async def _told(
    app: Served, path: str, headers: Mapping[str, str], method: str = "GET"
) -> tuple[int, dict[str, str], dict[str, Any]]:
    response = await app.test_client().open(
        path, method=method, headers=dict(headers), scope_base={"client": ("192.0.2.1", 1)}
    )
    names = {name.lower(): value for name, value in response.headers.items()}
    names.pop("content-length", None)  # The time in it may be longer by a digit.
    names.pop("date", None)
    body = json.loads(await response.get_data(as_text=True) or "{}")
    return response.status_code, names, {k: v for k, v in body.items() if k not in PASSING}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "headers",
    [{}, {"Origin": PAGE}, {"Origin": "http://stranger.example"}, {"Host": "stranger.example"}],
)
async def test_the_answer_is_the_same_as_through_quart(
    path: str, headers: Mapping[str, str]
) -> None:
    async with create_app(settings(cors_origins=PAGE)).test_app() as app:
        known = {"X-Request-ID": "one", **headers}
        quick = await _told(app, path, known)
        through = await _told(app, path, {**known, "Content-Length": "0"})
        head = await _told(app, path, known, "HEAD")
    assert quick == through
    assert quick[:2] == head[:2]
    welcome = path == "/health" or not headers or headers == {"Origin": PAGE}
    assert quick[0] == (200 if welcome else 403)
    assert ("access-control-allow-origin" in quick[1]) == (headers == {"Origin": PAGE})


@pytest.mark.parametrize("path", POLLED)
async def test_who_lacks_the_token_is_refused_as_by_quart(path: str) -> None:
    strict = settings(auth_enabled=True, auth_token=TOKEN)
    async with create_app(strict).test_app() as app:
        for authorization, status in (("Bearer wrong", 401), (f"Bearer {TOKEN}", 200)):
            known = {"X-Request-ID": "one", "Authorization": authorization}
            quick = await _told(app, path, known)
            assert quick == await _told(app, path, {**known, "Content-Length": "0"})
            assert quick[0] == status


@pytest.mark.parametrize("path", POLLED)
async def test_both_ways_count_for_one_limit(path: str) -> None:
    async with create_app(settings(max_requests=1)).test_app() as app:
        answers = [
            await _told(app, path, {"Content-Length": "0"} if number % 2 else {})
            for number in range(6)
        ]
    assert [status for status, *_ in answers] == [200] * int(BURST) + [429] * 2
    assert "retry-after" in answers[-1][1]
    assert "retry-after" in answers[-2][1]


@pytest.mark.parametrize("path", PATHS)
async def test_quart_is_not_asked(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app = create_app(settings())

    async def refuse(request: object) -> None:
        raise AssertionError("Quart was asked")

    async with app.test_app() as served:
        monkeypatch.setattr(app, "handle_request", refuse)
        assert (await _told(served, path, {}))[0] == 200
        with pytest.raises(AssertionError, match="Quart was asked"):
            await _told(served, path, {"Content-Length": "0"})
        monkeypatch.undo()


async def test_a_fault_of_ours_is_told_as_by_quart(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with create_app(settings()).test_app() as app:
        monkeypatch.delattr(app.app.extensions["stt"], "sessions")
        path = "/api/v1/transcription/sessions"
        quick = await _told(app, path, {"X-Request-ID": "one"})
        through = await _told(app, path, {"X-Request-ID": "one", "Content-Length": "0"})
        monkeypatch.undo()
    assert quick == through
    assert quick[0] == 500
    assert caplog.text.count("a request failed") == 2


async def test_health_counts_for_no_limit_and_wants_no_token() -> None:
    strict = Settings.model_validate({"auth_enabled": True, "auth_token": TOKEN, "max_requests": 1})
    async with create_app(strict).test_app() as app:
        http = app.test_client()
        assert {(await http.get("/health")).status_code for _ in range(20)} == {200}
        assert (await http.delete("/health")).status_code == 405
