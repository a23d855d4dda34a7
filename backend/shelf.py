"""The models of this machine: which there are, where each one stands, and which may go.

A model is on its way here (`backend.pulls`), in the hub's cache (`backend.engines.models`), in
memory (`backend.desks`), or to be had.
"""

import asyncio
import shutil
from dataclasses import dataclass

from backend.desks import Desks, Taken
from backend.engines import EngineError
from backend.engines.models import (
    begun,
    cache_folder,
    forget,
    in_cache,
    is_folder,
    place,
    size,
    standing,
)
from backend.engines.names import SHORT, NoSuchModel, asked_for, repository, short
from backend.problems import bad_request, conflict, missing, not_found
from backend.pulls import Pulls
from common.models import ModelInfo, Models


@dataclass(frozen=True)
class Shelf:
    """What the server knows of models. Lives on the event loop."""

    desks: Desks
    pulls: Pulls

    async def listing(self) -> Models:
        """Return every model: the usual ones, and what else is here."""
        listed = await asyncio.to_thread(stock)
        under_way = [pull.repository for pull in self.pulls.all]
        known = {model.repository for model in listed.models}
        models = [*listed.models, *(_bare(name) for name in under_way if name not in known)]
        desks = {_key(taken): taken for taken in self.desks.all}
        models = [
            await self._with_life(model, desks.pop((model.engine, model.repository), None))
            for model in models
        ]
        models += [await self._with_life(_of(taken), taken) for taken in desks.values()]
        return listed.model_copy(update={"models": models})

    async def pull(self, model: str) -> bool:
        """Begin to download a model; False if it is here already. Raises `Problem`."""
        if is_folder(model):
            raise bad_request(f"{model} is a folder: there is nothing to download", "Not the hub's")
        try:
            name = asked_for(model)
            if await asyncio.to_thread(standing, name) == "installed":
                return False
            await self.pulls.begin(name)
        except NoSuchModel as error:
            raise not_found(str(error), "No such model") from error
        except EngineError as error:
            raise missing(str(error), "Model not available") from error
        return True

    async def cancel(self, model: str) -> None:
        """Stop a download; what came of it stays. Raises `Problem` 409 if there is none."""
        if not await self.pulls.cancel(repository(model)):
            raise conflict(f"{model[:80]} is not being downloaded", "No such download")

    async def delete(self, model: str) -> int:
        """Delete a model from the hub's cache; return the bytes that were freed.

        Raises `Problem` 400 for a folder, 404, 409 while it is used or downloaded.
        """
        if is_folder(model):
            raise bad_request(
                f"{model} is a folder of your own, not one of the hub's cache: delete it yourself",
                "Not the hub's",
            )
        try:
            name = asked_for(model)
        except NoSuchModel as error:
            raise not_found(str(error), "No such model") from error
        if self.pulls.under_way(name):
            raise conflict(f"{model} is being downloaded: cancel that first", "Model in use")
        if any(_key(taken)[1] == name for taken in self.desks.all):
            await self.desks.unload(name)
        try:
            return await asyncio.to_thread(forget, name)
        except FileNotFoundError as error:
            raise not_found(f"{model} is not in {place(name).parent}", "No such model") from error
        except OSError as error:
            raise missing(f"{model} can't be deleted: {error}", "Model not deleted") from error

    async def _with_life(self, model: ModelInfo, taken: Taken | None) -> ModelInfo:
        pull = self.pulls.under_way(model.repository) if model.repository else None
        news: dict[str, object] = {}
        if pull:
            news = {"state": "downloading", "done": pull.done, "total": pull.total}
        elif taken:
            state = "loaded" if taken.desk.state == "ready" else "loading"
            memory = await asyncio.to_thread(taken.desk.engine.memory)
            news = {"state": state, "memory_bytes": memory, "in_use": taken.users}
        return model.model_copy(update=news)


def stock() -> Models:
    """Return the hub's models, and what of them is in its cache. Reads folders; asks nobody."""
    names = list(dict.fromkeys([*SHORT.values(), *in_cache(), *begun()]))
    folder = cache_folder()
    there = next(one for one in (folder, *folder.absolute().parents) if one.is_dir())
    return Models(
        models=[_stored(name) for name in names],
        cache=str(folder),
        free_bytes=shutil.disk_usage(there).free,
    )


def _stored(name: str) -> ModelInfo:
    state = standing(name)
    taken = None if state == "available" else size(name)
    model = _bare(name).model_copy(update={"state": state, "size_bytes": taken})
    return model.model_copy(update={"installed": state == "installed"})


def _bare(name: str) -> ModelInfo:
    return ModelInfo(
        name=short(name),
        engine="mlx_whisper",
        repository=name,
        installed=False,
        state="available",
    )


def _of(taken: Taken) -> ModelInfo:
    """Return a model that only its desk knows: a folder's, or one that comes with its engine."""
    engine = taken.desk.engine
    return ModelInfo(name=engine.model, engine=engine.name, installed=True, state="loaded")


def _key(taken: Taken) -> tuple[str, str | None]:
    return taken.desk.engine.name, taken.desk.engine.model
