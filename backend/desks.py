"""The engines in use, a desk each, shared by the sessions that want the same model.

A desk is loaded when it is first taken, after its model was downloaded if need be, and kept for
the next session; one that nobody uses is given up when another model is taken, or after some
time. `auto` falls back openly: the reason is in the status, in the log and in every console.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from backend.bus import Bus
from backend.engines import Cancelled, EngineError, Progress
from backend.engines.choose import Choice, choose, fallback, spare
from backend.engines.desk import Desk
from backend.engines.models import lacking
from backend.engines.names import asked_for, repository
from backend.problems import conflict, missing, not_found
from backend.pulls import Pulls
from backend.tasks import look_at
from common.events import EngineStatus, ModelProgress
from common.profile import TranscriptionPart

log = logging.getLogger(__name__)

Key = tuple[str, str]
"""An engine's name and its model."""


@dataclass(eq=False)
class Taken:
    """A desk and why it is this one."""

    desk: Desk
    reason: str
    users: int = 0
    resting: asyncio.TimerHandle | None = None
    """What gives it up if nobody takes it."""

    def status(self) -> EngineStatus:
        engine = self.desk.engine
        return EngineStatus(
            name=engine.name,
            model=engine.model,
            state=self.desk.state,
            device=engine.device,
            reason=self.reason,
        )


class Desks:
    """Every desk of the server. Lives on the event loop.

    A model is loaded by a task of its own: whoever waits for it may go away, and others that
    wait for another model, or use one, go on.
    """

    def __init__(self, bus: Bus, pulls: Pulls | None = None, idle: float = 0.0) -> None:
        """Begin with nothing loaded.

        Args:
            bus: where progress is told.
            pulls: where models are downloaded.
            idle: seconds after which a desk that nobody uses is given up; 0 is never.

        """
        self.rested: Callable[[], None] = lambda: None
        """Called when a desk was given up because nobody used it."""
        self._bus = bus
        self._pulls = pulls or Pulls(bus)
        self._idle = idle
        self._desks: dict[Key, Taken] = {}
        self._loading: dict[Key, asyncio.Task[Taken]] = {}
        self._faults: dict[Key, str] = {}
        self._retiring: asyncio.Task[None] | None = None

    @property
    def all(self) -> list[Taken]:
        """The desks that are loaded or loading."""
        return list(self._desks.values())

    async def status(self, part: TranscriptionPart) -> EngineStatus:
        """Return the engine that these settings would take, and how it is."""
        try:
            choice = await asyncio.to_thread(choose, part)
        except EngineError as error:
            return EngineStatus(
                name=part.engine, model=part.model, state="failed", reason=str(error)
            )
        engine = choice.engine
        key = (engine.name, engine.model)
        if there := self._desks.get(key):
            return there.status().model_copy(update={"reason": choice.reason})
        fault = self._faults.get(key)
        return EngineStatus(
            name=engine.name,
            model=engine.model,
            state="loading" if key in self._loading else "failed" if fault else "unloaded",
            device=engine.device,
            reason=fault or choice.reason,
        )

    async def take(self, part: TranscriptionPart) -> Taken:
        """Return a loaded desk for these settings; give it back when done.

        Raises `Problem` 503 with the cure where there is none.
        """
        try:
            choice = await asyncio.to_thread(choose, part)
            await asyncio.to_thread(_check_spare, part)
            try:
                taken = await self._loaded(choice)
            except EngineError as error:
                other = fallback(part, error)
                if other is None:
                    raise
                log.warning("%s", other.reason)
                taken = await self._loaded(other)
        except EngineError as error:
            raise missing(str(error), "Engine not available") from error
        # Nothing is awaited since it was found ready, so nobody has given it up.
        taken.users += 1
        self._wake(taken)
        return taken

    async def take_spare(self, part: TranscriptionPart, failed: Taken) -> Taken | None:
        """Return the loaded desk of the fallback engine; give it back when done.

        None where the settings name none, or the one that failed. Raises `Problem` 503.
        """
        named = spare(part)
        taken = await self.take(named) if named else None
        if taken is failed:
            self.give_back(failed)
            return None
        return taken

    def give_back(self, taken: Taken) -> None:
        taken.users -= 1
        self._let_rest(taken)

    async def unload(self, model: str) -> None:
        """Give up the desks of a model. Raises `Problem` 404 for none, 409 while it is used."""
        names = {model, repository(model)}
        keys = [key for key in (*self._desks, *self._loading) if key[1] in names]
        if not keys:
            raise not_found(f"no model {model[:80]!r} is loaded", "Not loaded")
        if any(key in self._loading or self._desks[key].users for key in keys):
            raise conflict(f"{model} is in use: stop what uses it first", "Model in use")
        for key in keys:
            await self._give_up(key)

    async def close(self) -> None:
        """End all engines; what they have not begun is dropped."""
        for loading in self._loading.values():
            loading.cancel()
        desks = [taken.desk for taken in self._desks.values()]
        self._desks.clear()
        await asyncio.gather(*(asyncio.to_thread(desk.close) for desk in desks))
        await asyncio.gather(*self._loading.values(), return_exceptions=True)

    async def _loaded(self, choice: Choice) -> Taken:
        key = (choice.engine.name, choice.engine.model)
        while True:
            taken = self._desks.get(key)
            if taken and taken.desk.state == "ready":
                taken.reason = choice.reason
                return taken
            if key not in self._loading:
                self._loading[key] = asyncio.create_task(self._load(key, choice))
                self._loading[key].add_done_callback(look_at)
            await asyncio.shield(self._loading[key])

    async def _load(self, key: Key, choice: Choice) -> Taken:
        engine = choice.engine
        taken = Taken(Desk(engine), choice.reason)
        try:
            if engine.name == "mlx_whisper" and await asyncio.to_thread(lacking, engine.model):
                await self._pulls.bring(asked_for(engine.model))
            await self._give_up_unused()
            self._desks[key] = taken
            self._faults.pop(key, None)
            await asyncio.wrap_future(taken.desk.load(self._teller(engine.model)))
        except BaseException as error:
            self._desks.pop(key, None)
            self._faults[key] = str(error)
            await asyncio.to_thread(taken.desk.close)
            if isinstance(error, Cancelled):
                raise EngineError(f"the engine {engine.name} was closed while it loaded") from error
            raise
        finally:
            del self._loading[key]
        log.info("engine %s, model %s: %s", engine.name, engine.model, choice.reason)
        self._let_rest(taken)
        return taken

    async def _give_up_unused(self) -> None:
        for key, taken in list(self._desks.items()):
            if taken.users == 0 and taken.desk.state != "loading":
                await self._give_up(key)

    async def _give_up(self, key: Key) -> None:
        if taken := self._desks.pop(key, None):
            await asyncio.to_thread(taken.desk.close)
            self._teller(taken.desk.engine.model)("unloaded", 0, None)

    def _let_rest(self, taken: Taken) -> None:
        """Give a desk up after some time in which nobody takes it."""
        if self._idle and not taken.users:
            self._wake(taken)
            loop = asyncio.get_running_loop()
            taken.resting = loop.call_later(self._idle, self._retire, taken)

    def _wake(self, taken: Taken) -> None:
        if taken.resting:
            taken.resting.cancel()
            taken.resting = None

    def _retire(self, taken: Taken) -> None:
        engine = taken.desk.engine
        key = (engine.name, engine.model)
        if self._desks.get(key) is taken:
            log.info("engine %s, model %s: unloaded, nobody used it", *key)
            self._retiring = asyncio.create_task(self._rest(key))

    async def _rest(self, key: Key) -> None:
        await self._give_up(key)
        self.rested()

    def _teller(self, model: str) -> Progress:
        def tell(stage: str, done: float, total: float | None) -> None:
            self._bus.tell(
                ModelProgress.model_validate(
                    {"model": model, "stage": stage, "done": done, "total": total}
                )
            )

        return tell


def _check_spare(part: TranscriptionPart) -> None:
    """Raise `EngineError` for a fallback that can't be had: it would be missed too late."""
    if named := spare(part):
        try:
            choose(named)
        except EngineError as error:
            raise EngineError(f"transcription.fallback: {error}") from error
