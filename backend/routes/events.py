"""``/api/v1/ws``: events out."""

import asyncio
import time
from contextlib import suppress

from pydantic import BaseModel, ConfigDict, ValidationError

from backend.bus import HELD
from backend.parts import Parts
from backend.problems import Problem, bad_request
from backend.routes.outlets import outlet
from backend.sockets import Socket
from backend.subscription import Subscription, Wanted
from common import PROTOCOL, VERSION
from common.events import EVENT_NAMES, Error, Event, Unknown, Welcome, parse
from common.profile import faults

QUERY = ("events", "session", "levels", "since")
FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class Command(BaseModel):
    """What a client may say."""

    model_config = ConfigDict(extra="forbid")

    command: str
    events: list[str] | None = None
    session: str | None = None
    levels: bool = True


async def serve_events(socket: Socket, here: Parts) -> None:
    """Serve one client of the event stream until either side has had enough."""
    query = socket.query
    if strange := query.keys() - QUERY:
        raise bad_request(
            f"unknown in the query: {', '.join(sorted(strange))[:200]}; there are: "
            f"{', '.join(QUERY)}"
        )
    wanted = _wanted(
        query.get("events", "").split(",") if query.get("events") else None,
        query.get("session"),
        _flag("levels", query.get("levels", "true")),
    )
    since = _since(query.get("since"))
    if here.cluster:
        await here.cluster.catch_up(since)
    await socket.accept()
    with here.bus.subscribe(wanted, since) as subscription:
        # Made in the same breath as the subscription, so that nothing falls in between.
        welcome, oldest = _welcome(here), here.bus.oldest
        past, gap = await _past(here, since, oldest)
        past = [event for event in past if wanted.matches(event)]
        update = {"gap": gap, "from_history": len(past)}
        first = [welcome.model_copy(update=update), *past]
        with suppress(TimeoutError):
            async with asyncio.timeout(None) as limit:
                here.bus.attach(subscription, outlet(socket, limit), first)
                await _obey(socket, subscription)


async def _obey(socket: Socket, subscription: Subscription) -> None:
    while True:
        message = await socket.next()
        try:
            subscription.reply(_obeyed(message, subscription))
        except ValueError as error:
            subscription.reply(Error(error="Not understood", details=str(error)))
        except Problem as problem:
            subscription.reply(Error(error=problem.error, details=problem.details))


def _obeyed(message: str | bytes, subscription: Subscription) -> Event:
    if isinstance(message, bytes):
        raise ValueError("binary frames mean nothing here; sound goes to /api/v1/audio")
    try:
        wish = Command.model_validate_json(message)
    except ValidationError as error:
        raise ValueError(
            f'expected {{"command":"ping"}} or {{"command":"subscribe",…}}; {faults(error)}'
        ) from error
    match wish.command:
        case "ping":
            return Unknown.model_validate({"event": "pong", "timestamp": time.time()})
        case "subscribe":
            subscription.wanted = _wanted(wish.events, wish.session, wish.levels)
            return Unknown.model_validate(
                {
                    "event": "subscribed",
                    "events": wish.events,
                    "session": wish.session,
                    "levels": wish.levels,
                }
            )
    raise ValueError(f"unknown command {wish.command!r}; known: ping, subscribe")


def _wanted(names: list[str] | None, session: str | None, levels: bool) -> Wanted:
    asked = frozenset(name.strip() for name in names) if names else None
    if asked and (unknown := asked - set(EVENT_NAMES)):
        raise bad_request(
            f"unknown events: {', '.join(sorted(unknown))}; there are: {', '.join(EVENT_NAMES)}"
        )
    return Wanted(asked, session, levels)


def _flag(name: str, text: str) -> bool:
    flag = FLAGS.get(text.lower())
    if flag is None:
        raise bad_request(f"{name} is true or false, not {text[:40]!r}")
    return flag


def _since(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise bad_request(f"since is the whole number of an event's seq, not {text[:40]!r}")
    return int(text)


async def _past(here: Parts, since: int | None, oldest: int) -> tuple[list[Event], bool]:
    """Return what came after a number and is no longer held, and whether some is missing.

    Of a server on its own that is finals; a cluster holds all that was numbered.
    """
    if since is None or not here.bus.missing_since(since):
        return [], False
    if since > here.bus.seq:
        return [], True  # It can't be ours: all that is held is sent.
    told, whole = await (here.cluster or here.history).told(since, oldest, HELD)
    return [parse(text) for text in told], not whole


def _welcome(here: Parts) -> Welcome:
    main = here.sessions.main
    return Welcome(
        protocol=PROTOCOL,
        version=VERSION,
        server_id=here.bus.server_id,
        cluster=here.cluster.name if here.cluster else None,
        seq=here.bus.seq,
        running=main is not None,
        profile=main.name if main else None,
        active_features=here.sessions.active_features(),
        recent=list(here.bus.recent),
    )
