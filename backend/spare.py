"""What an engine failed on, read by another: the fallback that the profile names."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from backend.desks import Desks, Taken
from backend.engines import EngineError, Reading, Wishes
from backend.hearing import Samples
from backend.problems import Problem
from common.events import Error, Event
from common.profile import TranscriptionPart

log = logging.getLogger(__name__)


class Spare:
    """One session's way to the fallback engine, which is loaded when it is first needed."""

    def __init__(self, desks: Desks, tell: Callable[[Event], None]) -> None:
        self._desks = desks
        self._tell = tell
        self._told = False

    async def read(
        self,
        part: TranscriptionPart,
        failed: Taken,
        fault: EngineError,
        utterance: str,
        audio: Samples,
        asked: Wishes,
    ) -> Reading:
        """Have an utterance read that the session's own engine failed on.

        Tells of it once, until `rest`. Raises `EngineError`: the fault where no fallback is
        named, both where that one fails too.
        """
        taken: Taken | None = None
        try:
            taken = await self._desks.take_spare(part, failed)
            if taken is None:
                raise fault
            self._tell_once(failed, taken, fault)
            asked = replace(asked, options={}, spare=False)
            reading = await asyncio.wrap_future(taken.desk.final(utterance, audio, asked))
            return replace(reading, engine=taken.desk.engine.name)
        except (Problem, EngineError) as error:
            if error is fault:
                raise
            raise EngineError(f"{fault}; and the fallback failed too: {error}") from error
        finally:
            if taken:
                self._desks.give_back(taken)

    def rest(self) -> None:
        """Note that the session's own engine reads again."""
        if self._told:
            log.info("the engine reads again; the fallback rests")
            self._told = False

    def _tell_once(self, failed: Taken, taken: Taken, fault: EngineError) -> None:
        if self._told:
            return
        self._told = True
        name, other = failed.desk.engine.name, taken.desk.engine.name
        log.warning("%s failed, %s reads instead: %s", name, other, fault)
        details = f"{fault}; until {name} works again, what it fails on is read by {other}"
        self._tell(Error(error="Fallback engine", details=details))
