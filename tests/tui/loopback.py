"""The loopback server, and how tests wait for what they expect of the console."""

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config
from quart import Quart, ResponseReturnValue, request, websocket
from textual.pilot import Pilot

from common.api import (
    DoctorReport,
    Profiles,
    ProfileSummary,
    SessionInfo,
    Status,
    TranscriptionStatus,
    WakeWordStatus,
)
from common.events import (
    AudioStatus,
    EngineStatus,
    Event,
    Level,
    SystemStatus,
    Transcription,
    Welcome,
    encode,
)
from common.sinks import SinkList, SinkStatus
from tui.app import Console

ENGINE = EngineStatus(
    name="pocketsphinx",
    model="en-us",
    state="ready",
    device="cpu",
    reason="auto: mlx_whisper is not installed here",
)
PROFILES = Profiles(
    profiles=[
        ProfileSummary(name="vad-triggered", description="Hears all speech.", builtin=True),
        ProfileSummary(name="wake-word", description="Waits for [b]jarvis[/b].", builtin=True),
        ProfileSummary(name="mine", description="", builtin=False),
    ],
    default="vad-triggered",
)
NOON = 1_767_268_800.0


def said(text: str, utterance: str = "u1", *, final: bool = True, **fields: Any) -> Transcription:
    """Return what was said, with the fields that a test doesn't care about."""
    fields = {"confidence": 0.9, "session_id": "s1", "start": 0.0, "end": 1.0} | fields
    return Transcription(
        text=text, is_final=final, utterance_id=utterance, timestamp=NOON, **fields
    )


def level(rms: float = -23.0, speech: float = 0.4, **fields: Any) -> Level:
    """Return a level of the server's own session."""
    fields = {"peak_dbfs": rms + 6, "speaking": speech > 0.5, "session_id": "s1"} | fields
    return Level(rms_dbfs=rms, speech=speech, **fields)


class Loopback:
    """Holds what the server would know; `tell` sends an event to everyone."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.token: str | None = None
        self.server_id = "first"
        self.running = True
        self.starts = 1
        self.profile = "vad-triggered"
        self.report = DoctorReport(version="9.9.9", healthy=True, findings=[])
        self.figures = TranscriptionStatus(engine=ENGINE, queue_depth=0, sessions=[])
        self.asked_figures = 0
        self.wake_word: WakeWordStatus | None = None
        self.recent: list[Transcription] = []
        self.gap = False
        self.seq = 0
        self.log: list[Event] = []
        self.asked: list[tuple[str, Any]] = []
        self.refusal: tuple[int, str, str] | None = None
        self.clients: dict[asyncio.Queue[str | None], asyncio.Event] = {}
        self.queries: list[dict[str, str]] = []
        self.sinks: list[SinkStatus] = []

    async def open(self) -> None:
        config = Config()
        config.bind = [f"127.0.0.1:{self.port}"]
        config.graceful_timeout = 0.2
        config.accesslog = config.errorlog = None
        self._stop = asyncio.Event()
        self._serving = asyncio.create_task(
            serve(self._app(), config, shutdown_trigger=self._stop.wait)  # type: ignore[arg-type]
        )
        deadline = time.monotonic() + 10
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.01)
            else:
                writer.close()
                await writer.wait_closed()
                return

    async def close(self) -> None:
        self.drop()
        for gone in list(self.clients.values()):
            await gone.wait()
        self._stop.set()
        await self._serving

    def drop(self) -> None:
        """Close every socket, as a server that restarts."""
        for queue in self.clients:
            queue.put_nowait(None)

    def tell(self, event: Event) -> Event:
        if event.numbered():
            self.seq += 1
            event = event.model_copy(update={"seq": self.seq})
            self.log.append(event)
        for queue in self.clients:
            queue.put_nowait(encode(event))
        return event

    def status(self) -> Status:
        session = SessionInfo(
            session_id="s1",
            source="microphone",
            profile=self.profile,
            started=time.time() - 83,
            audio_seconds=83,
            finals=3,
        )
        return Status(
            version="9.9.9",
            uptime=100,
            running=self.running,
            starts=self.starts,
            profile=self.profile,
            active_features=[],
            active_connections=1,
            sessions=[session] if self.running else [],
            engine=ENGINE,
            audio=AudioStatus(),
            wake_word=self.wake_word,
        )

    def _app(self) -> Quart:
        app = Quart(__name__)

        @app.before_request
        async def check() -> ResponseReturnValue | None:
            if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
                return _fault(401, "unauthorized", "send the server's token")
            return None

        @app.get("/api/v1/system/status")
        async def status() -> ResponseReturnValue:
            return self.status().model_dump()

        @app.get("/api/v1/transcription/status")
        async def figures() -> ResponseReturnValue:
            self.asked_figures += 1
            return self.figures.model_dump()

        @app.get("/api/v1/system/sinks")
        async def sinks() -> ResponseReturnValue:
            return SinkList(sinks=self.sinks).model_dump()

        @app.get("/api/v1/system/doctor")
        async def doctor() -> ResponseReturnValue:
            self.asked.append(("doctor", None))
            return _fault(*self.refusal) if self.refusal else self.report.model_dump()

        @app.get("/api/v1/system/profiles")
        async def profiles() -> ResponseReturnValue:
            return PROFILES.model_dump()

        @app.post("/api/v1/system/<verb>")
        async def act(verb: str) -> ResponseReturnValue:
            self.asked.append((verb, await request.get_json(silent=True)))
            return _fault(*self.refusal) if self.refusal else self._act(verb)

        app.websocket("/api/v1/ws")(self._events)
        return app

    def _act(self, verb: str) -> ResponseReturnValue:
        self.running = verb == "start"
        self.profile = (self.asked[-1][1] or {}).get("profile") or self.profile
        self.tell(SystemStatus(running=self.running, profile=self.profile, engine=ENGINE))
        started = {
            "started": True,
            "session_id": "s1",
            "profile": self.profile,
            "active_features": [],
        }
        data = started if self.running else {"stopped": True, "sessions": 1}
        return {"status": "success", "message": "", "data": data}

    async def _events(self) -> ResponseReturnValue | None:
        if self.token and websocket.headers.get("Authorization") != f"Bearer {self.token}":
            return _fault(401, "unauthorized", "send the server's token")
        self.queries.append(dict(websocket.args))
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        since = int(websocket.args.get("since", self.seq))
        queue.put_nowait(encode(self._welcome()))
        for event in self.log:
            if not self.gap and (event.seq or 0) > since:
                queue.put_nowait(encode(event))
        gone = self.clients[queue] = asyncio.Event()
        obeying = asyncio.create_task(self._obey(queue))
        try:
            while (text := await queue.get()) is not None:
                await websocket.send(text)
            await websocket.close(1012, "restarting")
        finally:
            obeying.cancel()
            self.clients.pop(queue, None)
            gone.set()
        return None

    async def _obey(self, queue: asyncio.Queue[str | None]) -> None:
        while await websocket.receive() == '{"command":"ping"}':
            queue.put_nowait('{"event":"pong","timestamp":1}')

    def _welcome(self) -> Welcome:
        return Welcome(
            protocol=1,
            version="9.9.9",
            server_id=self.server_id,
            seq=self.seq,
            running=self.running,
            profile=self.profile,
            recent=self.recent,
            gap=self.gap,
        )


def _fault(status: int, error: str, details: str) -> ResponseReturnValue:
    body = {"error": error, "details": details, "status_code": status, "timestamp": "now"}
    return body, status


async def until(pilot: Pilot[Any], true: Callable[[], bool], seconds: float = 10) -> None:
    """Wait for the thing itself."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, screen_text(pilot.app)
        await pilot.pause(0.01)


async def connected(pilot: Pilot[Any], server: Loopback) -> None:
    """Wait until the console is connected and knows the engine."""
    app = pilot.app
    assert isinstance(app, Console)
    await until(pilot, lambda: app.state.connected and app.state.engine is not None)


def screen_text(app: Any) -> str:
    """Return what is on the screen, without its colors."""
    width, _ = app.size
    lines = app.screen._compositor.render_strips()
    return "\n".join(strip.text[:width].rstrip() for strip in lines)
