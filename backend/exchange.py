"""A request and its answer, in the task that the server made for it.

Quart makes two more for each request, one that answers and one that reads the body and hears of a
client that leaves, and ends the second when the first is done. What asks for something small is
answered without waiting for anything: nobody has to listen meanwhile, and it takes half as long.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from quart import Request
from quart.asgi import ASGIHTTPConnection

from backend.eager import begun

BODY = {b"content-length", b"transfer-encoding"}
"""One of these announces a body in HTTP/1 (RFC 9112, section 6.3)."""


def has_body(scope: Any) -> bool:
    """Whether a request comes with a body, as far as its head tells."""
    names = (name.lower() for name, _ in scope["headers"])
    return scope["http_version"] >= "2" or not BODY.isdisjoint(names)


class Exchange(ASGIHTTPConnection):
    """Quart's connection, listening to the client only once the answer has to wait."""

    async def __call__(self, receive: Any, send: Any) -> None:
        request = self._create_request_from_scope(send)
        if not has_body(self.scope):
            request.body.set_complete()
        if rest := begun(self.handle_request(request, send)):
            await self._go_on(rest, request, receive)

    async def _go_on(self, rest: Coroutine[Any, Any, None], request: Request, receive: Any) -> None:
        """Answer, unless the client leaves first."""
        task = asyncio.current_task()
        assert task
        left = answered = False

        def leave(_: object) -> None:
            nonlocal left
            if not answered:
                left = True
                task.cancel()

        listening = asyncio.create_task(self.handle_messages(request, receive))
        listening.add_done_callback(leave)
        try:
            await rest
        except asyncio.CancelledError:
            if not left:
                raise
        finally:
            answered = True
            listening.cancel()
            if left:
                task.uncancel()
