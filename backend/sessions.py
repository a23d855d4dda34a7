"""Every session of the server: its own listening, and those that clients feed.

Starting and stopping are serialized, so that interleaved calls leave a state that one of them
asked for.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from backend.bus import Bus
from backend.defaults import Defaults
from backend.desks import Desks, Taken
from backend.engines import EngineError
from backend.hearing.ears import Ears
from backend.hearing.spotters import WakeError
from backend.hearing.vad import DetectorError
from backend.meters import Meters
from backend.problems import Problem, bad_request, conflict, leaving, missing, not_found, too_many
from backend.reading import wishes
from backend.session import Reason, Session
from backend.settings import Settings
from backend.sources import Source, SourceError
from backend.sources.stream import StreamSource
from backend.sources.wanted import fed, own
from backend.tuning import changed, fixed_changes, wants_restart
from common.api import AudioHello, Configured, ConfigureRequest, SessionRequest
from common.events import EngineStatus, SystemStatus
from common.profile import Profile

log = logging.getLogger(__name__)

Value = TypeVar("Value")

IDLE = 300.0
"""Seconds without a chunk after which a session fed over REST is ended."""


class Sessions:
    """Lives on the event loop."""

    def __init__(
        self,
        settings: Settings,
        defaults: Defaults,
        bus: Bus,
        ears: Ears,
        desks: Desks,
        meters: Meters,
    ) -> None:
        self._settings = settings
        self._defaults = defaults
        self._bus = bus
        self._ears = ears
        self._desks = desks
        desks.rested = self._tell_status_soon
        self._meters = meters
        self._lost = 0.0
        self._overruns = 0
        self._open: dict[str, Session] = {}
        self._opening: set[str] = set()
        self._main: Session | None = None
        self._replaced: Session | None = None
        """The last that was ended because another was to take its place."""
        self._changing = asyncio.Lock()
        self._watching: set[asyncio.Task[Any]] = set()
        self._idle: dict[str, asyncio.TimerHandle] = {}
        self._leaving = False
        self._starting: set[asyncio.Task[Session]] = set()
        self.starts = 0
        """How often the server's own listening was started."""

    @property
    def main(self) -> Session | None:
        """The server's own listening, if it runs."""
        return self._main

    @property
    def all(self) -> list[Session]:
        """The sessions that listen, in the order in which they were opened."""
        return [session for session in self._open.values() if not session.done.is_set()]

    @property
    def lost_seconds(self) -> float:
        """Sound dropped in all sessions since the start."""
        return self._lost + sum(session.lost_seconds for session in self._open.values())

    @property
    def overruns(self) -> int:
        """Blocks before which the audio system lost sound, in all sessions since the start."""
        return self._overruns + sum(session.source.overruns for session in self._open.values())

    def active_features(self) -> list[str]:
        """What the server's own listening does: ``vad``, ``wake_word``, ``transcription``."""
        if self._main is None:
            return []
        vad = ["vad"] if self._main.profile.vad.enabled else []
        word = ["wake_word"] if self._main.profile.wake_word.enabled else []
        return [*vad, *word, "transcription"]

    async def engine_status(self) -> EngineStatus:
        """Return the engine that listens, or the one that the default profile would take."""
        if self._main:
            return self._main.reader.taken.status()
        try:
            _, profile = self._defaults.resolve(None, {})
        except Problem:  # A default profile that can't be used is told of at the start.
            profile = Profile()
        return await self._desks.status(profile.transcription)

    async def start(
        self, name: str | None, changes: Mapping[str, Any], *, restart: bool = False
    ) -> Session:
        """Start the server's own listening. Raises `Problem` for whatever is in the way."""
        starting = asyncio.create_task(self._start(name, changes, restart))
        self._starting.add(starting)
        starting.add_done_callback(self._starting.discard)
        try:
            # Whoever asked may hang up: what was begun is brought to its end all the same.
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            if starting.cancelled():
                raise conflict("the start was stopped before it was done", "Stopped") from None
            raise

    async def _start(self, name: str | None, changes: Mapping[str, Any], restart: bool) -> Session:
        async with self._changing:
            name, profile = self._defaults.resolve(name, changes)
            if self._main and not restart:
                raise conflict(
                    f"listening already with profile {self._main.name!r}; stop it first, or send "
                    '"restart": true',
                    "Already running",
                )
            self._refuse_what_cannot_be(self._main)
            source = own(profile.audio)
            with _refused():
                await asyncio.to_thread(source.open)
            before = self._main
            try:
                session = await self._begin(new_id(), name, profile, source, replacing=before)
            except BaseException:
                if self._main is not before:
                    self._tell_status_soon()
                raise
            self.starts += 1
            if not session.done.is_set():
                self._main = session
            await self._tell_status()
            return session

    async def configure(self, wish: ConfigureRequest) -> Configured:
        """Change how everything is transcribed from now on, the server's own listening included.

        Raises `Problem` 400 or 503, and then nothing has changed.
        """
        given = wish.model_dump(exclude_unset=True)

        async def apply(profile: Profile, taken: Taken) -> None:
            self._apply(given, profile, taken)

        profile, taken = await self._change(lambda: self._with(given), apply)
        await self._tell_status()
        return Configured(transcription=profile.transcription, engine=taken.status())

    async def _change(
        self,
        wanted: Callable[[], Profile],
        apply: Callable[[Profile, Taken], Awaitable[None]],
    ) -> tuple[Profile, Taken]:
        """Apply a change once its engine is there.

        That may have to be downloaded, for which `stop` must not wait: the engine is got outside of
        the lock, and what is wanted is looked up anew within.
        """
        while True:
            profile, applied = wanted(), False
            taken = await self._take(profile)
            try:
                async with self._changing:
                    if wanted() == profile:
                        await apply(profile, taken)
                        applied = True
                        return profile, taken
            finally:
                if not applied:
                    self._desks.give_back(taken)

    def _with(self, given: Mapping[str, Any]) -> Profile:
        """Return what listens now, or would by default, with a change of the transcription."""
        profile = self._main.profile if self._main else self._defaults.resolve(None, {})[1]
        return changed(profile, {"transcription": given})

    def _apply(self, given: Mapping[str, Any], profile: Profile, taken: Taken) -> None:
        self._defaults.configure(given, profile)
        if self._main and not self._main.done.is_set():
            old = self._main.switch(profile, taken)
            self._watch(self._give_back_once_read(self._main, old))
        else:
            self._desks.give_back(taken)

    async def tune(self, session_id: str, changes: Mapping[str, Any]) -> Session:
        """Change a session while it listens: what it hears by at the next frame, what it is read
        by at the next utterance.

        Raises `Problem` 404, 400, 409 for what wants a new start, or 503, and then nothing has
        changed.
        """
        session = self.find(session_id)

        async def apply(profile: Profile, taken: Taken) -> None:
            self.find(session_id)  # It may have ended while the engine was got.
            with _refused():
                await session.tune(profile)
            old = session.switch(profile, taken)
            self._watch(self._give_back_once_read(session, old))
            self._tell_status_of(session)

        await self._change(lambda: self._tuned(session, changes), apply)
        return session

    def _tuned(self, session: Session, changes: Mapping[str, Any]) -> Profile:
        profile = changed(session.profile, changes)
        if paths := fixed_changes(session.profile, profile):
            raise wants_restart(paths, own=session is self._main)
        return profile

    async def _give_back_once_read(self, session: Session, taken: Taken) -> None:
        await session.reader.wait()
        self._desks.give_back(taken)

    async def stop(self) -> int:
        """Stop everything; return how many sessions that were. Raises `Problem` 409 for none.

        A start under way, which may wait for a download, is broken off.
        """
        starting = [task.cancel() for task in self._starting]
        async with self._changing:
            running = self.all
            if not running and not starting:
                raise conflict("nothing is running; start it first", "Not running")
            await asyncio.gather(*(self.finish(session) for session in running))
            return len(running)

    async def open(self, request: SessionRequest, source: StreamSource) -> Session:
        """Open a session fed by a client. Raises `Problem`."""
        name, profile = self._defaults.resolve(request.profile, request.custom_config)
        session_id = request.session_id or new_id()
        opening = self._watch(self._begin(session_id, name, profile, source))
        return await asyncio.shield(opening)

    async def open_for_chunks(self, request: SessionRequest) -> Session:
        """Open a session fed by single requests; it ends by itself when they stop coming."""
        # Also when the one who asked for it has gone before it was open.
        return await asyncio.shield(self._watch(self._open_for_chunks(request)))

    async def _open_for_chunks(self, request: SessionRequest) -> Session:
        session = await self.open(request, fed(AudioHello(), "upload"))
        self.keep_alive(session)
        return session

    def find(self, session_id: str) -> Session:
        """Return a session. Raises `Problem` 404."""
        session = self._open.get(session_id)
        if session is None or session.done.is_set():
            raise not_found(f"there is no session {session_id!r}", "Session not found")
        return session

    async def close(self, session_id: str, reason: Reason = "stopped") -> Session:
        """End a session; what it holds is transcribed first. Raises `Problem` 404."""
        session = self.find(session_id)
        await self.finish(session, reason)
        return session

    async def finish(self, session: Session, reason: Reason = "stopped") -> None:
        """End a session; what it holds is transcribed first."""
        await session.stop(reason)
        self._forget(session)

    def keep_alive(self, session: Session) -> None:
        """Count the idle time of a session fed over REST from now."""
        if handle := self._idle.pop(session.session_id, None):
            handle.cancel()
        if not session.done.is_set():
            self._idle[session.session_id] = asyncio.get_running_loop().call_later(
                IDLE, lambda: self._watch(self.finish(session, "idle"))
            )

    async def leave(self, seconds: float) -> None:
        """Finish and deliver all speech in progress, for so long at most; take no more."""
        self._leaving = True
        for starting in self._starting:
            starting.cancel()
        stopping = [asyncio.ensure_future(self.finish(session)) for session in self.all]
        if not stopping:
            return
        _, late = await asyncio.wait(stopping, timeout=seconds)
        if late:
            log.warning("leaving %d sessions whose speech took too long to finish", len(late))
            for session in self.all:
                session.abandon()
            await asyncio.wait(late, timeout=1)

    async def _begin(
        self,
        session_id: str,
        name: str,
        profile: Profile,
        source: Source,
        replacing: Session | None = None,
    ) -> Session:
        # Nothing is awaited from here until the id is taken: two may want the same one at once.
        if session_id in self._open or session_id in self._opening:
            raise conflict(f"there is a session {session_id!r} already", "Session id taken")
        self._refuse_what_cannot_be(replacing)
        self._opening.add(session_id)
        try:
            taken = await self._take(profile)
            try:
                session = Session(
                    session_id, name, profile, source, taken, self._bus, self._meters, self._desks
                )
                session.sound_changed = lambda: self._tell_status_of(session)
                with _refused():
                    await session.prepare()
                    if replacing:
                        self._replaced = replacing
                        await self.finish(replacing)
                    await session.start(self._ears)
            except BaseException:
                self._desks.give_back(taken)
                raise
            self._open[session_id] = session
        finally:
            self._opening.discard(session_id)
        self._watch(self._see_off(session))
        return session

    async def _take(self, profile: Profile) -> Taken:
        """Return a desk that can do what the profile wants. Raises `Problem` 503 or 400."""
        taken = await self._desks.take(profile.transcription)
        try:
            await asyncio.to_thread(taken.desk.engine.check, wishes(profile.transcription))
        except BaseException as error:
            self._desks.give_back(taken)
            if isinstance(error, EngineError):
                raise bad_request(str(error), "Invalid configuration") from error
            raise
        return taken

    def _refuse_what_cannot_be(self, replacing: Session | None) -> None:
        if self._leaving:
            raise leaving()
        count = len(self._open) + len(self._opening) - (replacing is not None)
        if count >= self._settings.max_sessions:
            raise too_many(
                f"{count} sessions are open, the limit of STT_SERVER_MAX_SESSIONS; end one first"
            )

    async def _see_off(self, session: Session) -> None:
        await session.done.wait()
        self._forget(session)

    def _forget(self, session: Session) -> None:
        if self._open.pop(session.session_id, None) is None:
            return
        self._desks.give_back(session.reader.taken)
        self._lost += session.lost_seconds
        self._overruns += session.source.overruns
        if handle := self._idle.pop(session.session_id, None):
            handle.cancel()
        if self._main is session:
            self._main = None
            # The end of what is only replaced would be told after the new one's start.
            if session is not self._replaced:
                self._tell_status_soon()

    def _tell_status_of(self, session: Session) -> None:
        if session is self._main:
            self._tell_status_soon()

    def _tell_status_soon(self) -> None:
        self._watch(self._tell_status())

    async def _tell_status(self) -> None:
        engine = await self.engine_status()
        self._bus.publish(
            SystemStatus(
                running=self._main is not None,
                active_features=self.active_features(),
                profile=self._main.name if self._main else None,
                engine=engine,
                audio=self._main.audio_status() if self._main else None,
            )
        )

    def _watch(self, coroutine: Coroutine[Any, Any, Value]) -> asyncio.Task[Value]:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)
        return task


@contextmanager
def _refused() -> Iterator[None]:
    """Refuse, with 503, what a session needs and isn't there."""
    try:
        yield
    except WakeError as error:
        raise missing(str(error), "Wake word not available") from error
    except DetectorError as error:
        raise missing(str(error), "Detector not available") from error
    except SourceError as error:
        raise missing(str(error), "Audio source not available") from error


def new_id() -> str:
    return secrets.token_hex(6)
