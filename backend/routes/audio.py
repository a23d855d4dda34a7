"""``/api/v1/audio``: sound in, and that session's events back."""

import asyncio
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from backend.parts import Parts
from backend.problems import Problem, bad_request, leaving, malformed
from backend.session import Session
from backend.sessions import new_id
from backend.sockets import INVALID_DATA, NORMAL, POLICY, TRY_LATER, Gone, Socket
from backend.sources.stream import StreamSource
from backend.sources.wanted import fed
from backend.subscription import Subscription, TooSlow, Wanted
from common.api import AudioHello
from common.events import Error
from common.profile import faults

CODES = {400: INVALID_DATA, 503: TRY_LATER}
"""Close codes for refusals; others are `POLICY`."""
PATIENCE = 30
"""Seconds in which the first frame must come."""


class Command(BaseModel):
    """What a client may say between its sound."""

    model_config = ConfigDict(extra="forbid")

    command: Literal["flush", "stop"]


async def serve_audio(socket: Socket, here: Parts) -> None:
    """Serve one session that a client streams to."""
    await socket.accept(inward=True)
    try:
        hello = await _hello(socket, here)
        session_id = hello.session_id or new_id()
        hello = hello.model_copy(update={"session_id": session_id})
        source = fed(hello)
        with here.bus.subscribe(Wanted(session=session_id), settled=True) as subscription:
            session = await here.sessions.open(hello, source)
            await _converse(socket, here, session, source, subscription)
    except Problem as problem:
        await socket.fail(problem, CODES.get(problem.status, POLICY))


async def _hello(socket: Socket, here: Parts) -> AudioHello:
    try:
        async with asyncio.timeout(PATIENCE):
            first = await _first(socket, here)
    except TimeoutError:
        raise bad_request(f"no first frame came within {PATIENCE} s") from None
    if isinstance(first, bytes):
        raise bad_request(
            'the first frame is text: {"sample_rate":16000,"encoding":"pcm_s16le"}; '
            "sound comes after"
        )
    try:
        return AudioHello.model_validate_json(first)
    except ValidationError as error:
        raise malformed(error) from error


async def _first(socket: Socket, here: Parts) -> str | bytes:
    coming = asyncio.create_task(socket.next())
    closing = asyncio.create_task(here.bus.closed.wait())
    try:
        await asyncio.wait({coming, closing}, return_when=asyncio.FIRST_COMPLETED)
        if not coming.done():
            raise leaving()
        return coming.result()
    finally:
        for task in (coming, closing):
            task.cancel()
        await asyncio.gather(coming, closing, return_exceptions=True)


async def _converse(
    socket: Socket, here: Parts, session: Session, source: StreamSource, subscription: Subscription
) -> None:
    telling = asyncio.create_task(_tell(socket, subscription))
    hearing = asyncio.create_task(_hear(socket, session, source, subscription))
    ended = asyncio.create_task(session.done.wait())
    slow = asyncio.create_task(subscription.wait_until_too_slow())
    tasks = {telling, hearing, ended, slow}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        gone = hearing.done() and isinstance(hearing.exception(), Gone)
        await here.sessions.finish(session, "disconnected" if gone else "stopped")
        subscription.close()
        if not gone:
            if hearing.done():
                hearing.result()
            async with asyncio.timeout(PATIENCE):
                await telling
            await socket.close(NORMAL)
    except (TooSlow, TimeoutError):
        await socket.close(TRY_LATER, "too slow")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _tell(socket: Socket, subscription: Subscription) -> None:
    if wire := socket.wire:
        subscription.shorten(lambda encoded: wire.take(encoded.frame))
    async for text in subscription:
        await socket.text(text)


async def _hear(
    socket: Socket, session: Session, source: StreamSource, subscription: Subscription
) -> None:
    """Take sound and commands until ``stop``. Not reading makes the client wait."""
    while True:
        message = await socket.next(source.take)
        if isinstance(message, bytes):
            await source.feed(message)
            continue
        try:
            command = Command.model_validate_json(message).command
        except ValidationError as error:
            details = f'expected {{"command":"flush"}} or {{"command":"stop"}}; {faults(error)}'
            subscription.reply(
                Error(session_id=session.session_id, error="Not understood", details=details)
            )
            continue
        if command == "stop":
            return
        session.flush_soon()
