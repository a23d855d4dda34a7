"""The engines in use, a desk each, shared by the sessions that want the same model.

A desk is loaded when it is first taken and kept for the next session; one that nobody uses is
given up when another model is taken. `auto` falls back openly: the reason is in the status, in
the log and in every console.
"""

import asyncio
import logging
from dataclasses import dataclass

from backend.bus import Bus
from backend.engines import EngineError, Progress
from backend.engines.choose import Choice, choose, fallback
from backend.engines.desk import Desk
from backend.problems import missing
from common.events import EngineStatus, ModelProgress
from common.profile import TranscriptionPart

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Taken:
    """A desk and why it is this one."""

    desk: Desk
    reason: str
    users: int = 0

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
    """Every desk of the server. Lives on the event loop."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._desks: dict[tuple[str, str], Taken] = {}
        self._latest: Taken | None = None
        self._taking = asyncio.Lock()

    @property
    def all(self) -> list[Taken]:
        """The desks that are loaded, loading, or failed last."""
        latest = [self._latest] if self._latest else []
        return list(dict.fromkeys([*self._desks.values(), *latest]))

    async def status(self, part: TranscriptionPart) -> EngineStatus:
        """Return the engine used last, or the one that these settings would take."""
        if self._latest:
            return self._latest.status()
        try:
            choice = await asyncio.to_thread(choose, part)
        except EngineError as error:
            return EngineStatus(
                name=part.engine, model=part.model, state="failed", reason=str(error)
            )
        engine = choice.engine
        return EngineStatus(
            name=engine.name, model=engine.model, device=engine.device, reason=choice.reason
        )

    async def take(self, part: TranscriptionPart) -> Taken:
        """Return a loaded desk for these settings; give it back when done.

        Raises `Problem` 503 with the cure where there is none.
        """
        async with self._taking:
            try:
                taken = await self._loaded(await asyncio.to_thread(choose, part), part)
            except EngineError as error:
                raise missing(str(error), "Engine not available") from error
            taken.users += 1
            self._latest = taken
            return taken

    def give_back(self, taken: Taken) -> None:
        taken.users -= 1

    async def close(self) -> None:
        """End all engines; what they have not begun is dropped."""
        for taken in self._desks.values():
            await asyncio.to_thread(taken.desk.close)
        self._desks.clear()

    async def _loaded(self, choice: Choice, part: TranscriptionPart) -> Taken:
        engine = choice.engine
        key = (engine.name, engine.model)
        taken = self._desks.get(key)
        if taken and taken.desk.state == "ready":
            taken.reason = choice.reason
            return taken
        await self._give_up_unused()
        taken = Taken(Desk(engine), choice.reason)
        self._latest = taken
        try:
            await asyncio.wrap_future(taken.desk.load(self._teller(engine.model)))
        except EngineError as error:
            await asyncio.to_thread(taken.desk.close)
            other = fallback(part, error)
            if other is None:
                raise
            log.warning("%s", other.reason)
            return await self._loaded(other, part)
        log.info("engine %s, model %s: %s", engine.name, engine.model, choice.reason)
        self._desks[key] = taken
        return taken

    async def _give_up_unused(self) -> None:
        for key, taken in list(self._desks.items()):
            if taken.users == 0:
                del self._desks[key]
                await asyncio.to_thread(taken.desk.close)

    def _teller(self, model: str) -> Progress:
        def tell(stage: str, done: float, total: float | None) -> None:
            self._bus.tell(
                ModelProgress.model_validate(
                    {"model": model, "stage": stage, "done": done, "total": total}
                )
            )

        return tell
