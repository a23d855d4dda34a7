"""JSON in, JSON out: checked against the shapes of `common.api`. And how large a body may be.

Quart's own limit refuses before the body is read, and a client that is still sending sees its
connection broken instead of the answer. Here what is too much is read and thrown away first.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TypeVar

from pydantic import BaseModel, SerializeAsAny, ValidationError
from quart import Response, request

from backend.exchange import has_body
from backend.parts import parts
from backend.problems import Problem, bad_request, malformed, too_large
from common.api import Success

Shape = TypeVar("Shape", bound=BaseModel)

SMALL = 1 << 20
"""Bytes of a body that nobody wanted that are read away."""
SOON = 2.0
"""Seconds that they may take."""


async def body(shape: type[Shape]) -> Shape:
    """Return the request's JSON body; none at all is taken for ``{}``. Raises `Problem` 400."""
    data = b"".join([piece async for piece in pieces()])
    try:
        return shape.model_validate_json(data or b"{}")
    except ValidationError as error:
        raise malformed(error) from error
    except ValueError as error:
        raise bad_request(f"the body is no JSON: {error}") from error


async def pieces() -> AsyncIterator[bytes]:
    """Yield the request's body as it comes. Raises `Problem` 413 once it was all read."""
    limit = parts().settings.max_body_mb
    size = 0
    async for piece in request.body:
        size += len(piece)
        if size <= limit << 20:
            yield piece
    if size > limit << 20:
        raise over(limit)


async def refuse_too_large() -> None:
    """Raise `Problem` 413 for a body that is announced as too large, once it was all read."""
    if not has_body(request.scope):
        return
    limit = parts().settings.max_body_mb
    if (request.content_length or 0) > limit << 20:
        async for _ in request.body:
            pass
        raise over(limit)


async def read_on() -> None:
    """Read away what is left of a small body that comes soon.

    Hypercorn ends a connection whose request was answered before it was all there, without
    saying so; the client's next request on it would fail.
    """
    if not has_body(request.scope):
        return
    left = SMALL
    with suppress(TimeoutError):
        async with asyncio.timeout(SOON):
            async for piece in request.body:
                left -= len(piece)
                if left < 0:
                    return


def over(limit: int) -> Problem:
    """The refusal of a body of more than so many MiB."""
    return too_large(
        f"the body is over {limit} MiB, the limit of STT_SERVER_MAX_BODY_MB; send less at a time"
    )


def answer(shape: BaseModel, status: int = 200) -> Response:
    """Return a response that holds the shape as JSON."""
    return Response(shape.model_dump_json(), status, content_type="application/json")


def success(message: str, data: BaseModel) -> Response:
    """Return a response in the reference's envelope."""
    return answer(Success[SerializeAsAny[BaseModel]](message=message, data=data))
