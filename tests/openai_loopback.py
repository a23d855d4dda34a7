"""A server on this machine that speaks OpenAI's transcription protocol, and a wire to cut.

It says a word for every half second of sound it gets, so what it says proves what it got. It is
as strict as OpenAI's: a field that a model doesn't take is refused.
"""

import asyncio
import base64
import io
import json
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import soundfile
from hypercorn.asyncio import serve
from hypercorn.config import Config
from quart import Quart, ResponseReturnValue, request, websocket

from tests.openai_protocol import EACH, MODELS, logprobs_of, segment, words, wrong, wrong_hints

KEY = "sk-loopback-0123456789abcdef"
_ABOUT = "conversation.item.input_audio_transcription."


@dataclass
class Answer:
    """What a request is answered with instead of a transcript."""

    status: int
    code: str = "some_code"
    message: str = "no"
    headers: dict[str, str] = field(default_factory=dict)
    text: str | None = None
    """The whole body, if it isn't OpenAI's JSON."""


@dataclass
class Loopback:
    """What the server does, and what it was asked."""

    answers: deque[Answer] = field(default_factory=deque)
    """To the next uploads, in turn."""
    always: Answer | None = None
    """To every upload."""
    checks: deque[Answer] = field(default_factory=deque)
    """To the next questions for a model, by which a key is tried."""
    realtime: str = "works"
    """``works``, ``absent``, ``fails``, ``errs`` (an ``error`` event), ``mute`` or ``hasty``
    (ends the utterance by itself)."""
    hold: threading.Event = field(default_factory=threading.Event)
    """Uploads wait for it."""
    uploads: list[dict[str, Any]] = field(default_factory=list)
    sessions: list[dict[str, Any]] = field(default_factory=list)
    connections: int = 0
    streamed: float = 0.0
    """Seconds of sound that came over Realtime sessions."""
    broken: list[str] = field(default_factory=list)
    """What would have been refused: must be empty in the end."""
    waiting: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    """Released when an upload has come."""
    down: bool = False
    """Nobody can connect."""
    lag: float = 0.0
    """Seconds that what a client sends is on its way."""
    port: int = 0

    def __post_init__(self) -> None:
        self.hold.set()
        self._ends: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def environment(self) -> dict[str, str]:
        """What points the SDK here."""
        return {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": self.url, "OPENAI_LOG": "debug"}

    def cut(self) -> None:
        """Cut the wire: every connection is reset, and none can be made until `mend`."""
        self.down = True
        self._do(self._reset())

    def mend(self) -> None:
        self.down = False

    # On the server's thread.

    def _do(self, coroutine: Coroutine[Any, Any, None]) -> None:
        done: Future[None] = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        done.result(10)

    async def _reset(self) -> None:
        for end in list(self._ends):
            end.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.down:
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self._inner)
        self._ends |= {writer, back}
        try:
            with suppress(OSError):
                await asyncio.gather(_pipe(reader, back, lambda: self.lag), _pipe(there, writer))
        finally:
            for end in (writer, back):
                self._ends.discard(end)
                end.transport.abort()

    async def _run(self, ready: threading.Event, stop: asyncio.Event) -> None:
        inner = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
        self._inner = inner.sockets[0].getsockname()[1]
        inner.close()
        config = Config()
        config.bind = [f"127.0.0.1:{self._inner}"]
        config.graceful_timeout = 0.2
        config.accesslog = config.errorlog = None
        serving = asyncio.create_task(
            serve(self._app(), config, shutdown_trigger=stop.wait)  # type: ignore[arg-type]
        )
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self._inner)
            except OSError:
                await asyncio.sleep(0.01)
            else:
                writer.close()
                await writer.wait_closed()
                break
        wire = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.port = wire.sockets[0].getsockname()[1]
        ready.set()
        await stop.wait()
        self.down = True
        wire.close()
        await self._reset()
        await serving
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)  # Transports close when the loop comes round.

    def _app(self) -> Quart:
        app = Quart("openai")
        app.config["MAX_CONTENT_LENGTH"] = 1 << 26
        app.get("/v1/models/<name>")(self._model)
        app.post("/v1/audio/transcriptions")(self._transcribe)
        app.post("/v1/audio/translations")(self._translate)
        app.websocket("/v1/realtime")(self._stream)
        app.before_websocket(self._realtime_or_not)
        return app

    async def _realtime_or_not(self) -> ResponseReturnValue | None:
        self.connections += 1
        if self.realtime == "absent":
            return "", 404
        return None if websocket.headers.get("Authorization") == f"Bearer {KEY}" else ("", 401)

    async def _model(self, name: str) -> ResponseReturnValue:
        if self.checks:
            return _refusal(self.checks.popleft())
        if refused := _wrong_key():
            return refused
        if name not in MODELS:
            return _refusal(Answer(404, "model_not_found", f"The model '{name}' does not exist"))
        return {"id": name, "object": "model", "created": 1, "owned_by": "openai"}

    async def _transcribe(self) -> ResponseReturnValue:
        form, seconds = await self._receive()
        return await self._answer(form) or self._transcript(form, seconds)

    async def _translate(self) -> ResponseReturnValue:
        form, seconds = await self._receive()
        if form["model"] != "whisper-1" or "language" in form:
            return self._object("translations take whisper-1, and no language")
        return await self._answer(form) or self._transcript(form, seconds)

    async def _receive(self) -> tuple[dict[str, Any], float]:
        files, fields = await request.files, await request.form
        sound, rate = soundfile.read(io.BytesIO(files["file"].read()))
        form = {key: values if key.endswith("[]") else values[0] for key, values in fields.lists()}
        self.uploads.append({**form, "seconds": len(sound) / rate, "at": self._loop.time()})
        self.waiting.release()
        return form, len(sound) / rate

    async def _answer(self, form: dict[str, Any]) -> ResponseReturnValue | None:
        while not self.hold.is_set():  # noqa: ASYNC110 - the test's thread sets it.
            await asyncio.sleep(0.01)
        if refused := _wrong_key():
            return refused
        scripted = self.answers.popleft() if self.answers else self.always
        if scripted:
            return _refusal(scripted)
        if refused_for := wrong(form):
            return self._object(refused_for)
        return None

    def _object(self, wrong: str) -> ResponseReturnValue:
        self.broken.append(wrong)
        return _refusal(Answer(400, "unsupported_value", wrong))

    def _transcript(self, form: dict[str, Any], seconds: float) -> ResponseReturnValue:
        said = words(seconds)
        answer: dict[str, Any] = {"text": " ".join(said)}
        if form["response_format"] == "verbose_json":
            answer |= {"language": "english", "duration": seconds, "task": "transcribe"}
            answer["segments"] = [segment(answer["text"], seconds)]
            if "word" in form.get("timestamp_granularities[]", ()):
                answer["words"] = [
                    {"word": word, "start": number * EACH, "end": (number + 1) * EACH}
                    for number, word in enumerate(said)
                ]
        elif "logprobs" in form.get("include[]", ()):
            answer["logprobs"] = logprobs_of(said)
        elif form["model"] == "gpt-transcribe":
            answer["languages"] = [{"code": "en"}]
        return answer

    async def _stream(self) -> None:
        if dict(websocket.args) != {"intent": "transcription"}:
            self.broken.append(f"a query of {dict(websocket.args)}")
        session = _Session(self)
        await session.send("session.created", session={"type": "transcription"})
        while True:
            if not await session.take(json.loads(await websocket.receive())):
                return


class _Session:
    """One Realtime connection."""

    def __init__(self, server: Loopback) -> None:
        self._server = server
        self._samples = 0
        self._told = 0
        self._number = len(server.sessions)
        self._model = ""
        self._logprobs = False

    async def send(self, kind: str, **fields: Any) -> None:
        event = {"type": kind, "event_id": f"event_{self._number}", **fields}
        await websocket.send(json.dumps(event))

    async def take(self, event: dict[str, Any]) -> bool:
        """Answer a client's event; return whether to go on."""
        match event["type"]:
            case "session.update":
                await self._configure(event["session"])
            case "input_audio_buffer.append":
                data = base64.b64decode(event["audio"], validate=True)
                self._samples += len(data) // 2
                self._server.streamed += len(data) / 48_000
                return await self._heard_more()
            case "input_audio_buffer.commit":
                return await self._commit()
            case other:
                self._server.broken.append(f"an event {other}")
        return True

    async def _configure(self, session: dict[str, Any]) -> None:
        heard = session["audio"]["input"]
        if session["type"] != "transcription" or heard["turn_detection"] is not None:
            self._server.broken.append("not a transcription session without turn detection")
        if heard["format"] != {"type": "audio/pcm", "rate": 24_000}:
            self._server.broken.append(f"a format {heard['format']}")
        self._model = heard["transcription"]["model"]
        self._logprobs = "item.input_audio_transcription.logprobs" in session.get("include", ())
        if wrong := wrong_hints(heard["transcription"], logprobs=self._logprobs):
            self._server.broken.append(wrong)
        self._server.sessions.append(heard["transcription"])
        await self.send("session.updated", session=session)

    async def _heard_more(self) -> bool:
        if self._server.realtime == "errs":
            await self.send("error", error={"type": "server_error", "code": "x", "message": KEY})
            return False
        if self._server.realtime == "hasty":
            await self._complete(words(self._seconds))
        elif self._model == "gpt-live-transcribe":
            await self._tell_deltas()
        return True

    async def _commit(self) -> bool:
        if self._samples < 2400:
            error = {"type": "invalid_request_error", "code": "input_audio_buffer_commit_empty"}
            self._server.broken.append("a commit of nothing")
            await self.send("error", error={**error, "message": "buffer too small"})
            return True
        if self._server.realtime == "mute":
            return True
        await self.send("input_audio_buffer.committed", item_id=self._item)
        if self._server.realtime == "fails":
            error = {"type": "server_error", "code": "audio_unintelligible", "message": "no"}
            await self.send(f"{_ABOUT}failed", item_id=self._item, content_index=0, error=error)
            return True
        await self._tell_deltas()
        await self._complete(words(self._seconds))
        return True

    @property
    def _item(self) -> str:
        return f"item_{self._number}"

    @property
    def _seconds(self) -> float:
        return self._samples / 24_000

    async def _tell_deltas(self) -> None:
        for word in words(self._seconds)[self._told :]:
            self._told += 1
            await self.send(f"{_ABOUT}delta", item_id=self._item, content_index=0, delta=f"{word} ")

    async def _complete(self, said: list[str]) -> None:
        await self.send(
            f"{_ABOUT}completed",
            item_id=self._item,
            content_index=0,
            transcript=" ".join(said),
            usage={"type": "duration", "seconds": self._seconds},
            logprobs=logprobs_of(said) if self._logprobs else None,
        )


@contextmanager
def openai_loopback() -> Iterator[Loopback]:
    """Run one for the length of a ``with`` block."""
    server = Loopback()
    ready, stop = threading.Event(), asyncio.Event()
    running = threading.Thread(
        target=server._loop.run_until_complete, args=(server._run(ready, stop),)
    )
    running.start()
    try:
        assert ready.wait(10)
        yield server
    finally:
        server.hold.set()
        server._loop.call_soon_threadsafe(stop.set)
        running.join(10)
        server._loop.close()


async def _pipe(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lag: Callable[[], float] = float
) -> None:
    while data := await reader.read(1 << 16):
        await asyncio.sleep(lag())
        writer.write(data)
        await writer.drain()
    writer.write_eof()


def _wrong_key() -> ResponseReturnValue | None:
    given = request.headers.get("Authorization", "")
    if given == f"Bearer {KEY}":
        return None
    told = f"Incorrect API key provided: {given.removeprefix('Bearer ')}."
    return _refusal(Answer(401, "invalid_api_key", told))


def _refusal(answer: Answer) -> ResponseReturnValue:
    if answer.text is not None:
        return answer.text, answer.status, {"Content-Type": "text/html"}
    error = {"message": answer.message, "type": "error", "param": None, "code": answer.code}
    return {"error": error}, answer.status, answer.headers
