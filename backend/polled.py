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
"""Returns what is to be told; doesn't wait for what may take long. May raise `Problem`."""


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
        if tell is None or scope.get("method") != "GET" or has_body(scope):
            await self._inner(scope, receive, send)
            return
        given = {name: value.decode("latin-1") for name, value in reversed(scope["headers"])}
        problem, told = None, b""
        try:
            if scope["path"] in self._guarded:
                self._check(scope, given)
            told = (await tell(self._here())).model_dump_json().encode()
        except Problem as known:
            problem = known
        except Exception as error:
            log.exception("a request failed")
            problem = ours(error, self._settings.debug)
        status, body = (problem.status, problem.body().encode()) if problem else (200, told)
        more = problem.headers if problem else {}
        head = self._head(body, {**more, **cors_headers(self._settings, given.get(b"origin"))})
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": body})

    def _check(self, scope: Any, given: Mapping[bytes, str]) -> None:
        self._pace.check((scope.get("client") or ("",))[0])
        check_origin(self._settings, given.get(b"origin"), given.get(b"host"))
        check_token(self._settings, given.get(b"authorization"))

    def _head(self, body: bytes, more: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
        return [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            *((name.lower().encode(), value.encode("latin-1")) for name, value in more.items()),
        ]
