"""``GET /health``: what balancers and watchdogs ask all the time, answered before Quart is asked.

It wants no token and counts for no limit, so nothing that Quart would look at matters here. With
any other method, or a body, it is a request like others.
"""

from collections.abc import Callable
from typing import Any

from quart import Blueprint, Response

from backend.exchange import has_body
from backend.parts import Parts, parts
from backend.routes.bodies import answer
from backend.security import cors_headers
from backend.settings import Settings
from common import VERSION
from common.api import Health

PATH = "/health"

health = Blueprint("health", __name__)


@health.get(PATH)
async def tell_health() -> Response:
    return answer(health_of(parts()))


def health_of(here: Parts) -> Health:
    """Return what is told."""
    return Health(version=VERSION, connections=here.bus.connections, uptime=here.uptime)


class Healthy:
    """ASGI middleware that answers for our health and passes everything else on."""

    def __init__(self, inner: Any, settings: Settings, here: Callable[[], Parts]) -> None:
        self._inner = inner
        self._settings = settings
        self._here = here

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope.get("path") != PATH or scope.get("method") != "GET" or has_body(scope):
            await self._inner(scope, receive, send)
            return
        told = health_of(self._here()).model_dump_json().encode()
        await send(
            {"type": "http.response.start", "status": 200, "headers": self._head(scope, told)}
        )
        await send({"type": "http.response.body", "body": told})

    def _head(self, scope: Any, told: bytes) -> list[tuple[bytes, bytes]]:
        origins = [value for name, value in scope["headers"] if name.lower() == b"origin"]
        allowed = cors_headers(self._settings, origins[0].decode("latin-1")) if origins else {}
        return [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(told)).encode()),
            *((name.lower().encode(), value.encode("latin-1")) for name, value in allowed.items()),
        ]
