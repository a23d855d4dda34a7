"""Health, answered before Quart: nobody can tell the difference."""

import json
from collections.abc import Mapping

import pytest
from quart import Quart

from backend.app import create_app
from backend.settings import Settings

PAGE = "http://page.example"
SETTINGS = Settings.model_validate({"cors_origins": PAGE, "max_requests": 1})


async def _told(
    app: Quart, headers: Mapping[str, str], method: str = "GET"
) -> tuple[int, dict[str, str], bytes]:
    response = await app.test_client().open("/health", method=method, headers=dict(headers))
    names = {name.lower(): value for name, value in response.headers.items()}
    names.pop("content-length", None)  # The time in it may be longer by a digit.
    names.pop("date", None)
    return response.status_code, names, await response.get_data(as_text=False)


@pytest.mark.parametrize(
    "headers",
    [{}, {"Origin": PAGE}, {"Origin": "http://stranger.example"}, {"Host": "stranger.example"}],
)
async def test_the_answer_is_the_same_as_through_quart(headers: Mapping[str, str]) -> None:
    async with create_app(SETTINGS).test_app() as app:
        known = {"X-Request-ID": "one", **headers}
        quick = await _told(app, known)
        through = await _told(app, {**known, "Content-Length": "0"})
        head = await _told(app, known, "HEAD")
    assert quick[:2] == through[:2] == head[:2]
    assert quick[0] == 200
    assert ("access-control-allow-origin" in quick[1]) == (headers == {"Origin": PAGE})
    first, second = json.loads(quick[2]), json.loads(through[2])
    assert first.keys() == second.keys()
    assert first["status"] == second["status"] == "healthy"


async def test_it_counts_for_no_limit_and_wants_no_token() -> None:
    strict = Settings.model_validate(
        {"auth_enabled": True, "auth_token": "a-secret-of-length", "max_requests": 1}
    )
    async with create_app(strict).test_app() as app:
        http = app.test_client()
        assert {(await http.get("/health")).status_code for _ in range(20)} == {200}
        assert (await http.delete("/health")).status_code == 405
