import base64

import pytest

from backend.problems import Problem
from backend.security import Pace, check_origin, check_token
from backend.settings import Settings

LOCKED = Settings(auth_enabled=True, auth_token="s3cret-~")


def bearer(token: str) -> str:
    return "bearer." + base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


def test_without_a_token_to_want_everyone_may_come_in() -> None:
    check_token(Settings(), None)


def test_the_token_opens_by_header_or_subprotocol() -> None:
    locked = Settings(auth_enabled=True, auth_token="s3cret")
    check_token(locked, "Bearer s3cret")
    check_token(locked, "bearer  s3cret")
    check_token(LOCKED, None, ["stt.v1", bearer("s3cret-~")])


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer wrong", "Basic s3cret", "s3cret"])
def test_anything_else_is_401(header: str | None) -> None:
    with pytest.raises(Problem) as caught:
        check_token(LOCKED, header, ["stt.v1", "bearer.%%%", "bearer.", bearer("wrong")])
    assert caught.value.status == 401
    assert "Authorization: Bearer" in caught.value.details
    assert "s3cret" not in str(caught.value)


def test_a_page_of_the_server_itself_may_come_in() -> None:
    check_origin(Settings(), None, "localhost:8000")
    check_origin(Settings(), "http://localhost:8000", "localhost:8000")


@pytest.mark.parametrize("origin", ["http://evil.example", "http://localhost:3000", "null"])
def test_a_foreign_page_is_403_unless_listed(origin: str) -> None:
    with pytest.raises(Problem) as caught:
        check_origin(Settings(), origin, "localhost:8000")
    assert caught.value.status == 403
    check_origin(Settings(cors_origins=[origin]), origin, "localhost:8000")
    check_origin(Settings(cors_origins=["*"]), origin, "localhost:8000")


@pytest.mark.parametrize(
    "origin", ["http://[", "null", "file://", "http://evil.example", "x" * 999]
)
def test_an_origin_that_is_none_is_foreign(origin: str) -> None:
    with pytest.raises(Problem) as caught:
        check_origin(Settings(), origin, "127.0.0.1:8000")
    assert caught.value.status == 403


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8000", "[::1]:8000", "localhost:1", "192.168.1.7:8000", "studio.local:8000"]
)
def test_names_that_only_this_machine_can_have_are_ours(host: str) -> None:
    check_origin(Settings(), f"http://{host}", host)


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example:8000", "[", "localhost.evil"]
)
def test_other_names_may_be_a_web_pages(host: str) -> None:
    with pytest.raises(Problem, match="has no token"):
        check_origin(Settings(), None, host)
    check_origin(Settings(auth_enabled=True, auth_token="x"), None, host)
    if host != "[":
        check_origin(Settings(cors_origins=[f"https://{host}"]), None, host)


def test_an_address_that_asks_too_often_is_told_when_to_come_back() -> None:
    now = [0.0]
    pace = Pace(10, clock=lambda: now[0])
    for _ in range(40):
        pace.check("a")
    with pytest.raises(Problem) as caught:
        pace.check("a")
    assert caught.value.status == 429
    assert caught.value.headers == {"Retry-After": "1"}
    pace.check("b")
    now[0] = 0.1
    pace.check("a")
    for number in range(5000):
        pace.check(str(number))
    assert len(pace._left) <= 4096
