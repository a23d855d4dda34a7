"""What is asked all the time: small GETs that are answered before Quart is asked.

Balancers, watchdogs, dashboards and the console ask how the server does every second or so. Quart
takes longer to hand such a question on than it takes to answer it. The routes are there all the
same: any other method, or a request with a body, goes through Quart, to the same function.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pydantic import BaseModel

from backend.exchange import has_body
from backend.parts import Parts
from backend.problems import Problem, ours
from backend.security import Pace, check_origin, check_token, cors_headers
from backend.settings import Settings

log = logging.getLogger(__name__)

Tell = Callable[[Parts], Awaitable[BaseModel]]
"""Returns what is to be told, after a look at folders at most. May raise `Problem`."""


class Polled:
    """ASGI middleware that answers some GETs and passes everything else on."""

    def __init__(
        self,
        inner: Any,
        settings: Settings,
        pace: Pace,
        here: Callable[[], Parts],
        *,
        free: Mapping[str, Tell],
        guarded: Mapping[str, Tell],
    ) -> None:
        """Set up.

        Args:
            inner: what everything else is passed on to.
            settings: who may ask.
            pace: how often.
            here: returns the server's parts, once it has begun.
            free: answers by path, for everyone and as often as they like.
            guarded: those for whom the token, origin and pace allow it.

        """
        self._inner = inner
        self._settings = settings
        self._pace = pace
        self._here = here
        self._guarded = guarded
        self._all = {**free, **guarded}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        tell = self._all.get(scope.get("path"))
        plain = scope.get("method") == "GET" and not scope.get("root_path") and not has_body(scope)
        if tell is None or not plain:
            await self._inner(scope, receive, send)
            return
        # The first of a name counts, as it does for Quart.
        given = {name.lower(): value.decode("latin-1") for name, value in scope["headers"][::-1]}
        status, body, more = await self._answer(scope, given, tell)
        more = {**more, **cors_headers(self._settings, given.get(b"origin"))}
        head = _head(body, more)
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": body})

    async def _answer(
        self, scope: Any, given: Mapping[bytes, str], tell: Tell
    ) -> tuple[int, bytes, Mapping[str, str]]:
        """Return an answer's status, body and headers of its own."""
        try:
            if scope["path"] in self._guarded:
                self._pace.check((scope.get("client") or ("",))[0])
                check_origin(self._settings, given.get(b"origin"), given.get(b"host"))
                check_token(self._settings, given.get(b"authorization"))
            return 200, (await tell(self._here())).model_dump_json().encode(), {}
        except Problem as known:
            problem = known
        except Exception as error:
            log.exception("a request failed")
            problem = ours(error, self._settings.debug)
        return problem.status, problem.body().encode(), problem.headers


def _head(body: bytes, more: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *((name.lower().encode(), value.encode("latin-1")) for name, value in more.items()),
    ]
