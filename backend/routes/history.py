"""``/api/v1/history``: what was said, found again, written as files, and forgotten."""

import asyncio
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from quart import Blueprint, Response, request

from backend.history import search, unknown
from backend.parts import parts
from backend.problems import bad_request, malformed, not_found
from backend.routes.bodies import answer, success
from common.export import FORMATS
from common.history import (
    ExportQuery,
    HistoryDeleted,
    HistoryDeleteQuery,
    HistoryPageQuery,
    PastSessionsQuery,
)

history = Blueprint("history", __name__, url_prefix="/api/v1/history")

Shape = TypeVar("Shape", bound=BaseModel)

LARGEST = 2**62
"""Beyond it there are no numbers."""


@history.get("")
async def tell_overview() -> Response:
    return answer(await parts().history.overview())


@history.delete("")
async def delete_all() -> Response:
    if not request.args:
        raise bad_request("this deletes everything that was ever said: say so with ?confirm=all")
    _query(HistoryDeleteQuery)
    return _deleted(await parts().history.delete_all())


@history.get("/sessions")
async def list_sessions() -> Response:
    return answer(await parts().history.read(search.sessions, _query(PastSessionsQuery)))


@history.delete("/sessions/<session_id>")
async def delete_session(session_id: str) -> Response:
    return _deleted(await parts().history.delete_session(session_id))


@history.get("/utterances")
async def list_utterances() -> Response:
    return answer(await parts().history.read(search.find, _query(HistoryPageQuery)))


@history.get("/utterances/<seq>")
async def show_utterance(seq: str) -> Response:
    found = await parts().history.read(search.one, _number(seq))
    if found is None:
        raise unknown(seq)
    return answer(found)


@history.delete("/utterances/<seq>")
async def delete_utterance(seq: str) -> Response:
    return _deleted(await parts().history.delete(_number(seq)))


@history.get("/utterances/<seq>/audio")
async def play_utterance(seq: str) -> Response:
    here = parts().history
    found = await here.read(search.one, _number(seq))
    if found is None:
        raise unknown(seq)
    try:
        sound = await asyncio.to_thread(here.sound(_number(seq)).read_bytes)
    except OSError:
        raise not_found(
            "its sound wasn't kept; that is asked for with audio.keep in the profile", "No sound"
        ) from None
    headers = {"Content-Disposition": f'inline; filename="{found.utterance_id}.flac"'}
    return Response(sound, headers=headers, content_type="audio/flac")


@history.get("/export")
async def export() -> Response:
    query = _query(ExportQuery)
    text = await parts().history.read(search.export, query)
    headers = {"Content-Disposition": f'attachment; filename="transcript.{query.format}"'}
    data = text.encode(errors="replace")
    return Response(data, headers=headers, content_type=FORMATS[query.format].media_type)


def _deleted(count: int) -> Response:
    what = "utterance" if count == 1 else "utterances"
    return success(f"{count} {what} deleted", HistoryDeleted(deleted=count))


def _query(shape: type[Shape]) -> Shape:
    """Return what the query says. Raises `Problem` 400."""
    try:
        return shape.model_validate_strings(dict(request.args), strict=False)
    except ValidationError as error:
        raise malformed(error) from error


def _number(text: str) -> int:
    """Return an utterance's number. Raises `Problem` 404 for what can't be one."""
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= LARGEST):
        raise unknown(text)
    return int(text)
