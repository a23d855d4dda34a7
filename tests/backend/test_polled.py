"""What is answered before Quart: nobody can tell the difference."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from quart.typing import TestAppProtocol as Served

from backend.app import POLLED, create_app
from backend.settings import Settings

PAGE = "http://page.example"
TOKEN = "a-secret-of-length"
PATHS = ["/health", *POLLED]
PASSING = {"timestamp", "uptime", "details"}
"""What isn't the same a moment later."""


async def _told(
    app: Served, path: str, headers: Mapping[str, str], method: str = "GET"
) -> tuple[int, dict[str, str], dict[str, Any]]:
    response = await app.test_client().open(path, method=method, headers=dict(headers))
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
    async with create_app(Settings.model_validate({"cors_origins": PAGE})).test_app() as app:
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
    strict = Settings.model_validate({"auth_enabled": True, "auth_token": TOKEN})
    async with create_app(strict).test_app() as app:
        for authorization, status in (("Bearer wrong", 401), (f"Bearer {TOKEN}", 200)):
            known = {"X-Request-ID": "one", "Authorization": authorization}
            quick = await _told(app, path, known)
            assert quick == await _told(app, path, {**known, "Content-Length": "0"})
            assert quick[0] == status


@pytest.mark.parametrize("path", POLLED)
async def test_both_ways_count_for_one_limit(path: str) -> None:
    async with create_app(Settings.model_validate({"max_requests": 1})).test_app() as app:
        answers = [
            await _told(app, path, {"Content-Length": "0"} if number % 2 else {})
            for number in range(12)
        ]
    assert answers[0][0] == 200
    assert [status for status, *_ in answers[-2:]] == [429, 429]
    assert "retry-after" in answers[-1][1]
    assert "retry-after" in answers[-2][1]


async def test_a_fault_of_ours_is_told_as_by_quart(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with create_app(Settings()).test_app() as app:
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
