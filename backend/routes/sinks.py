"""``/api/v1/system/sinks``: who outside is told what was said, and what was not taken."""

from quart import Blueprint, Response

from backend.parts import parts
from backend.routes.bodies import answer, success
from common.sinks import Letters, Requeued, SinkList

sinks = Blueprint("sinks", __name__, url_prefix="/api/v1/system/sinks")


@sinks.get("")
async def list_sinks() -> Response:
    return answer(SinkList(sinks=await parts().sinks.refresh()))


@sinks.get("/<name>/letters")
async def list_letters(name: str) -> Response:
    return answer(Letters(letters=await parts().sinks.letters(name)))


@sinks.post("/<name>/requeue")
async def requeue(name: str) -> Response:
    count = await parts().sinks.requeue(name)
    return success(f"{count} to be tried again", Requeued(requeued=count))
