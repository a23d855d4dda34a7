"""Downloads under way: one at a time for a model, told as events, joined by whoever wants it.

Lives on the event loop; each download has a thread of its own, which no shutdown waits for.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from backend.bus import Bus
from backend.engines import Cancelled, EngineError, hub
from backend.tasks import look_at
from common.events import Error, ModelProgress

log = logging.getLogger(__name__)

Value = TypeVar("Value")

OFTEN = 0.25
"""Seconds between two events of a download."""


@dataclass(eq=False)
class Pull:
    """One download."""

    repository: str
    done: int = 0
    """Bytes that are here."""
    total: int | None = None
    """Bytes that it will be; None before the hub has said so."""
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it is known what is to be brought, or that nothing is."""
    stop: threading.Event = field(default_factory=threading.Event)


class Pulls:
    """Every download of the server."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._pulls: dict[str, Pull] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def under_way(self, repository: str) -> Pull | None:
        """Return a model's download, if there is one."""
        return self._pulls.get(repository)

    @property
    def all(self) -> list[Pull]:
        """The downloads under way."""
        return list(self._pulls.values())

    async def begin(self, repository: str) -> None:
        """Begin a download, or join it; return once the hub has said what there is to bring.

        Raises `EngineError` if it has nothing of that name or can't be asked.
        """
        task = self._start(repository)
        waiting = asyncio.ensure_future(self._pulls[repository].begun.wait())
        try:
            await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if task.done():
            await task

    async def bring(self, repository: str) -> None:
        """Return when the model is here. Raises `EngineError`."""
        try:
            await asyncio.shield(self._start(repository))
        except Cancelled as error:
            raise EngineError(f"the download of {repository} was stopped: {error}") from error

    async def cancel(self, repository: str) -> bool:
        """Stop a download and return after its end; False if there is none."""
        pull, task = self._pulls.get(repository), self._tasks.get(repository)
        if pull is None or task is None:
            return False
        pull.stop.set()
        await asyncio.wait({task})
        return True

    async def close(self) -> None:
        """Stop all downloads; what came of them stays."""
        for pull in self._pulls.values():
            pull.stop.set()
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=1)

    def _start(self, repository: str) -> asyncio.Task[None]:
        if repository not in self._tasks:
            self._pulls[repository] = Pull(repository)
            task = asyncio.create_task(self._pull(self._pulls[repository]))
            task.add_done_callback(look_at)
            self._tasks[repository] = task
        return self._tasks[repository]

    async def _pull(self, pull: Pull) -> None:
        try:
            plan = await _in_thread(partial(hub.plan, pull.repository))
            pull.total = plan.total
            pull.done = hub.here(plan)
            self._tell(pull, "download")
            pull.begun.set()
            log.info("downloading %s: %d of %d bytes", pull.repository, pull.done, plan.total)
            await self._bring(pull, plan)
        except BaseException as error:
            if pull.begun.is_set():
                self._tell_end(pull, error)
            raise
        finally:
            del self._pulls[pull.repository], self._tasks[pull.repository]
        pull.done = plan.total
        self._tell(pull, "installed")
        log.info("downloaded %s", pull.repository)

    async def _bring(self, pull: Pull, plan: hub.Plan) -> None:
        def count(done: int) -> None:
            pull.done = done

        bringing = _in_thread(partial(hub.bring, plan, count, pull.stop))
        told = pull.done
        while not (await asyncio.wait({bringing}, timeout=OFTEN))[0]:
            if told != pull.done:
                told = pull.done
                self._tell(pull, "download")
        await bringing

    def _tell_end(self, pull: Pull, error: BaseException) -> None:
        self._tell(pull, "stopped")
        if isinstance(error, Cancelled | asyncio.CancelledError):
            log.info("stopped downloading %s at %d bytes", pull.repository, pull.done)
            return
        log.warning("%s: %s", pull.repository, error)
        self._bus.publish(Error(error="Model not downloaded", details=str(error)))

    def _tell(self, pull: Pull, stage: str) -> None:
        self._bus.publish(
            ModelProgress.model_validate(
                {
                    "model": pull.repository,
                    "stage": stage,
                    "done": pull.done,
                    "total": pull.total,
                }
            )
        )


def _in_thread(call: Callable[[], Value]) -> asyncio.Future[Value]:
    """Run a call on a thread that the end of the process doesn't wait for."""
    told: Future[Value] = Future()
    told.set_running_or_notify_cancel()  # Whoever waits may go away, and it ends all the same.

    def run() -> None:
        try:
            result = call()
        except BaseException as error:
            told.set_exception(error)
        else:
            told.set_result(result)

    threading.Thread(target=run, name="pull", daemon=True).start()
    return asyncio.wrap_future(told)
