"""What `tests/backend/engines/test_openai.py` doesn't meet on its way."""

import time
from email.utils import formatdate

import httpx
import pytest

from backend.engines.openai_faults import explain, server


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("", "OpenAI"),
        ("https://api.openai.com/v1", "OpenAI"),
        ("http://user:secret@speech.example:8000/v1", "speech.example"),
    ],
)
def test_the_server_is_named(monkeypatch: pytest.MonkeyPatch, address: str, name: str) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", address)
    assert server() == name


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "2"}, 2),
        ({"Retry-After": "0.5"}, 0.5),
        ({"retry-after-ms": "1500", "Retry-After": "9"}, 1.5),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
    ],
)
def test_a_wait_is_told_in_seconds(headers: dict[str, str], seconds: float) -> None:
    assert explain(limited(headers), "m").after == seconds


def test_a_wait_may_last_until_a_date() -> None:
    date = formatdate(time.time() + 3600, usegmt=True)
    assert 3500 < (explain(limited({"Retry-After": date}), "m").after or 0) < 3601


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "soon"}, {"retry-after-ms": "x"}])
def test_a_wait_that_is_none_is_none(headers: dict[str, str]) -> None:
    fault = explain(limited(headers), "m")
    assert (fault.again, fault.after) == (True, None)


def limited(headers: dict[str, str]) -> Exception:
    import openai

    request = httpx.Request("POST", "http://speech.example/v1")
    response = httpx.Response(429, headers=headers, request=request)
    return openai.RateLimitError("slow down", response=response, body=None)
