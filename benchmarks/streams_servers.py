"""The servers that `benchmarks.streams` and `benchmarks.rest` compare; each prints its port.

    python -m benchmarks.streams_servers ours|fastapi|ours-stops|fastapi-stops

Those that stop take a client's first frame and read no more.
"""

import asyncio
import base64
import sys
import time
from typing import Any

import numpy as np

from backend.settings import Settings
from common.profile import VadPart

SETTINGS = Settings(
    port=0,
    max_connections=20_000,
    max_requests=0,
    max_sessions=1000,
    history=False,
    log_level="ERROR",
)


async def ours(*, stops: bool = False) -> None:
    """Run our server whole."""
    from backend.routes import audio
    from backend.serve import listen, serve

    if stops:
        # A source that takes nothing, as one whose inlet is full.
        async def stop(*_: Any) -> None:
            await asyncio.Event().wait()

        audio._hear = stop
    listener = listen(SETTINGS)
    print(listener.getsockname()[1], flush=True)
    await serve(SETTINGS, listener)


async def seed(*, stops: bool = False) -> None:
    """Run FastAPI under uvicorn, which hears each stream in its handler."""
    import uvicorn
    from fastapi import FastAPI, WebSocket, WebSocketDisconnect

    from backend.hearing.framer import Framer
    from backend.hearing.heard import Loudness
    from backend.hearing.segmenter import Segmenter
    from backend.hearing.vad import make

    app = FastAPI()
    _answer_requests(app)

    @app.websocket("/api/v1/audio")
    async def audio(socket: WebSocket) -> None:
        await socket.accept()
        hello = await socket.receive_json()
        vad = VadPart.model_validate(hello["custom_config"]["vad"])
        framer, segmenter = Framer(16_000, 1), Segmenter(make(vad), vad, None)
        await socket.send_text('{"event":"session_started"}')
        if stops:
            await asyncio.Event().wait()
        try:
            while True:
                data = await socket.receive_bytes()
                for frame in framer.frames(np.frombuffer(data, "<i2").reshape(-1, 1)):
                    for thing in segmenter.hear(frame):
                        if isinstance(thing, Loudness):
                            await socket.send_text(_level(thing))
        except WebSocketDisconnect:
            pass

    config = uvicorn.Config(app, port=0, log_level="error", backlog=16_384, access_log=False)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    print(server.servers[0].sockets[0].getsockname()[1], flush=True)
    await serving


def _answer_requests(app: Any) -> None:
    from fastapi import HTTPException

    from common.api import Health, Sessions, TranscribeRequest

    began = time.monotonic()

    @app.get("/health")
    async def health() -> Health:
        return Health(version="1", connections=0, uptime=round(time.monotonic() - began, 3))

    @app.get("/api/v1/transcription/sessions")
    async def sessions() -> Sessions:
        return Sessions(sessions=[])

    @app.post("/api/v1/transcription/transcribe")
    async def transcribe(wish: TranscribeRequest) -> Health:
        sound = base64.b64decode(wish.audio_data, validate=True)
        raise HTTPException(404, f"no session {wish.session_id!r} for {len(sound)} bytes")


def _level(thing: Any) -> str:
    from common.events import Level, encode

    return encode(
        Level(
            session_id="stream",
            rms_dbfs=round(thing.rms_dbfs, 1),
            peak_dbfs=round(thing.peak_dbfs, 1),
            speech=round(thing.scores.speech, 3),
            webrtc=thing.scores.webrtc,
            silero=thing.scores.silero,
            speaking=thing.speaking,
            threshold=thing.threshold,
            noise_floor_dbfs=round(thing.floor_dbfs, 1),
        )
    )


if __name__ == "__main__":
    kind, _, end = sys.argv[1].partition("-")
    asyncio.run({"ours": ours, "fastapi": seed}[kind](stops=bool(end)))
