"""``/api/v1/system/models``: what is here, on its way, loaded, and how to get or lose it."""

import asyncio

from quart import Blueprint, Response
from werkzeug.routing import PathConverter

from backend.engines.names import repository
from backend.parts import parts
from backend.routes.bodies import answer, body, success
from backend.shelf import Shelf
from common.models import (
    LoadRequest,
    ModelDeleted,
    ModelLoaded,
    ModelPulling,
    ModelRequest,
    ModelUnloaded,
    PullCancelled,
)
from common.profile import TranscriptionPart

models = Blueprint("models", __name__, url_prefix="/api/v1/system/models")


class Name(PathConverter):
    """A model's name in a path: it may hold slashes, and begin with one."""

    regex = ".+?"
    part_isolating = False


def shelf() -> Shelf:
    here = parts()
    return Shelf(here.desks, here.pulls)


@models.get("")
async def list_models() -> Response:
    return answer(await shelf().listing())


@models.post("/pull")
async def pull() -> Response:
    model = (await body(ModelRequest)).model
    pulling = await shelf().pull(model)
    message = f"downloading {model}" if pulling else f"{model} is installed already"
    return success(message, ModelPulling(pulling=pulling, model=repository(model)))


@models.post("/cancel")
async def cancel() -> Response:
    model = (await body(ModelRequest)).model
    await shelf().cancel(model)
    return success(
        f"the download of {model} was stopped",
        PullCancelled(cancelled=True, model=repository(model)),
    )


@models.post("/load")
async def load() -> Response:
    wish = await body(LoadRequest)
    desks = parts().desks
    taken = await desks.take(TranscriptionPart(engine=wish.engine, model=wish.model))
    try:
        status = taken.status()
        memory = await asyncio.to_thread(taken.desk.engine.memory)
    finally:
        desks.give_back(taken)
    return success(
        f"{status.model} is loaded", ModelLoaded(loaded=True, engine=status, memory_bytes=memory)
    )


@models.post("/unload")
async def unload() -> Response:
    model = (await body(ModelRequest)).model
    await parts().desks.unload(model)
    return success(f"{model} is unloaded", ModelUnloaded(unloaded=True, model=repository(model)))


@models.delete("/<model:name>", merge_slashes=False)
async def delete(name: str) -> Response:
    freed = await shelf().delete(name)
    return success(
        f"{name} deleted",
        ModelDeleted(deleted=True, model=repository(name), freed_bytes=freed),
    )
