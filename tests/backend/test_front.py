"""The first that sees a request, through the whole application."""

import logging
from ipaddress import ip_network

import pytest

from backend.app import create_app
from backend.front import NUMBER, Network, caller, number
from backend.settings import Settings

PROXIES: list[Network] = [ip_network("127.0.0.1"), ip_network("10.0.0.0/8"), ip_network("::1")]
TRUSTING = Settings.model_validate({"trusted_proxies": "127.0.0.1", "max_requests": 1})


@pytest.mark.parametrize("given", ["7f3a", "Root=1-67:x/y+z.", "a" * 128])
def test_a_sane_number_is_taken_over(given: str) -> None:
    assert number(given) == given


@pytest.mark.parametrize("given", ["", "two words", "a\nb", 'a"b', "ä", "a" * 129, "\x1b[2J"])
def test_any_other_is_replaced_with_one_of_ours(given: str) -> None:
    made = number(given)
    assert made != given
    assert number(made) == made
    assert number(given) != made


def test_a_stranger_cannot_say_that_it_is_somebody_else() -> None:
    assert caller("192.0.2.1", "198.51.100.7", PROXIES) == "192.0.2.1"
    assert caller("192.0.2.1", "198.51.100.7", []) == "192.0.2.1"


def test_the_last_address_that_no_proxy_has_is_the_caller() -> None:
    # What the caller itself sent comes first and counts for nothing.
    assert caller("127.0.0.1", "8.8.8.8, 198.51.100.7, 10.1.2.3", PROXIES) == "198.51.100.7"
    assert caller("::1", "2001:db8::1", PROXIES) == "2001:db8::1"
    assert caller("::ffff:127.0.0.1", "198.51.100.7", PROXIES) == "198.51.100.7"


@pytest.mark.parametrize("forwarded", ["", "unknown", "8.8.8.8, localhost"])
def test_without_an_address_the_proxy_is_the_caller(forwarded: str) -> None:
    assert caller("127.0.0.1", forwarded, PROXIES) == "127.0.0.1"


async def test_every_answer_carries_its_number() -> None:
    async with create_app(Settings()).test_app() as app:
        http = app.test_client()
        ours = await http.get("/health")
        theirs = await http.get("/nothing", headers={"X-Request-ID": "abc-1"})
    assert number(ours.headers["X-Request-ID"]) == ours.headers["X-Request-ID"]
    assert (theirs.status_code, theirs.headers["X-Request-ID"]) == (404, "abc-1")


async def test_a_500_names_the_number_that_its_line_in_the_log_has(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = create_app(Settings())
    seen: list[str] = []

    class Noting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(NUMBER.get())

    noting = Noting()
    app.logger.addHandler(noting)

    @app.get("/broken")
    async def fail() -> str:
        raise RuntimeError("a secret")

    async with app.test_app():
        answer = await app.test_client().get("/broken", headers={"X-Request-ID": "abc-2"})
        fault = await answer.get_json()
    app.logger.removeHandler(noting)
    assert fault["details"] == "the server failed; its log has the reason (request abc-2)"
    assert seen == ["abc-2"]


async def test_the_limit_counts_callers_behind_a_trusted_proxy_each_for_itself() -> None:
    async with create_app(TRUSTING).test_app() as app:
        http = app.test_client()

        async def ask(forwarded: str, peer: str = "127.0.0.1") -> int:
            answer = await http.get(
                "/api/v1/system/profiles",
                headers={"X-Forwarded-For": forwarded},
                scope_base={"client": (peer, 1)},
            )
            return answer.status_code

        first = [await ask("198.51.100.7") for _ in range(5)]
        assert (first[:4], first[4]) == ([200] * 4, 429)
        assert await ask("198.51.100.8") == 200
        strangers = [await ask(f"198.51.100.{n}", "192.0.2.1") for n in range(5)]
        assert strangers[4] == 429
