"""OpenAI's models through its own SDK. The sound leaves this machine.

While somebody speaks, the sound is streamed to a Realtime session (`openai_stream`). Whatever
goes wrong there, the whole utterance is uploaded when it has ended (`openai_upload`), again and
again while that may help: for `PATIENCE`, or for `HURRY` where a fallback engine stands by.
Partials are never uploaded: each would cost as much as the final.
"""

import asyncio
import logging
import os
import random
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from json import JSONDecodeError
from typing import TYPE_CHECKING, TypeVar

from backend.engines import Audio, EngineError, Progress, Reading, Wishes
from backend.engines.heavy import import_heavy
from backend.engines.line import Line
from backend.engines.openai_faults import KEY, Fault, NotTheProtocol, explain
from backend.engines.openai_models import LIVE, WHISPER, abilities
from backend.engines.openai_stream import Broken, Stream
from backend.engines.openai_upload import upload

if TYPE_CHECKING:
    from openai import AsyncOpenAI

log = logging.getLogger(__name__)
Value = TypeVar("Value")

PATIENCE = 60.0
"""Seconds for which an utterance that nobody else can read is tried."""
HURRY = 8.0
"""Seconds, where a fallback engine stands by."""
GLANCE = 3.0
"""Seconds for a single try, where one stands by and the last utterance failed too."""
LOADING = 10.0
"""Seconds for which the key is tried."""
ANSWER = 10.0
"""Seconds from the end of an utterance in which a stream must answer."""
CONNECT, ATTEMPT = 5.0, 30.0
"""Seconds that a connection, and an answer, may take."""
FIRST_WAIT, LONGEST_WAIT = 0.5, 8.0
"""Seconds before the second try, and at most before any other."""
MOST = 64
"""Streams kept; of utterances that never end the oldest is given up."""
HEAVY = (
    "openai",
    "openai.resources.audio",
    "openai.resources.realtime",
    "websockets.asyncio.client",
    "soundfile",
    "soxr",
)
"""What would otherwise be imported when somebody speaks for the first time."""
TALKATIVE = ("openai", "httpx", "httpcore", "websockets.client")
"""Loggers that tell headers and sound at the level DEBUG."""


class OpenAI:
    """OpenAI, or a server that speaks its protocol at ``OPENAI_BASE_URL``."""

    name = "openai"
    device = "remote"
    eager = False  # A final that is dropped costs what one that is told costs.

    def __init__(self, model: str = LIVE) -> None:
        self.model = model
        self._able = abilities(model)
        self._line = Line(self.name)
        self._client: AsyncOpenAI | None = None
        self._streams: dict[str, Stream] = {}
        self._ending: set[Stream] = set()
        # Given up, and not closed yet.
        self._can_stream = self._able.streams
        self._down = False
        # Whether the last utterance couldn't be read.

    def load(self, progress: Progress) -> None:
        """Try the key, which costs nothing. Raises `EngineError`."""
        if lacking := missing():
            raise EngineError(f"openai needs {lacking}")
        progress("load", 0, None)
        import_heavy(HEAVY)
        _hush()  # After the import, which sets the loggers itself.
        self._line.open()
        self._line.call(self._connect())

    def check(self, wishes: Wishes) -> None:
        """Raise `EngineError`, with the cure, for what the model can't do."""
        if wishes.options:
            raise EngineError(
                f"openai has no options, such as {next(iter(wishes.options))!r}: leave "
                "transcription.options out"
            )
        if wishes.words and not self._able.words:
            raise EngineError(
                f"{self.model} tells no words with times: set transcription.model to {WHISPER}, "
                "or transcription.words to false"
            )
        if wishes.task == "translate" and not self._able.translates:
            raise EngineError(
                f"{self.model} can't translate: set transcription.model to {WHISPER}, or "
                "transcription.task to transcribe"
            )

    def warm_up(self) -> None:
        """Nothing to do: the connection that tried the key is kept."""

    def partial(self, utterance: str, audio: Audio, wishes: Wishes) -> Reading:
        """Send what is new of the sound; return what has been understood of what was sent before.

        Waits for nothing: the text is as old as the last call. Raises `Cancelled` after `cancel`.
        """
        self.check(wishes)
        if not self._can_stream or wishes.words:
            return Reading("", language=wishes.language)
        return self._line.call(self._go_on(utterance, audio, wishes))

    def final(self, utterance: str, audio: Audio, wishes: Wishes) -> Reading:
        """Read a whole utterance. Raises `EngineError`, or `Cancelled` after `cancel`."""
        self.check(wishes)
        return self._line.call(self._read(utterance, audio, wishes))

    def cancel(self) -> None:
        """Break off the call in progress, wherever it waits. Called from any thread."""
        self._line.cancel()

    def unload(self) -> None:
        """Close all connections."""
        streams = [*self._streams.values(), *self._ending]
        self._streams, self._ending = {}, set()
        client, self._client = self._client, None
        self._line.close(_close(client, streams))

    def memory(self) -> int | None:
        """Return None: the model is elsewhere."""
        return None

    async def _connect(self) -> None:
        from openai import AsyncOpenAI, NotFoundError, PermissionDeniedError, Timeout

        client = AsyncOpenAI(max_retries=0, timeout=Timeout(ATTEMPT, connect=CONNECT))
        self._client = client

        async def ask() -> None:
            try:
                await client.models.retrieve(self.model)
            except PermissionDeniedError:
                pass  # A key may be good for nothing but speech.
            except NotFoundError as error:
                if error.code == "model_not_found":
                    raise  # Any other 404 is of a server that doesn't list its models.

        await self._persist(ask, LOADING)

    async def _go_on(self, utterance: str, audio: Audio, wishes: Wishes) -> Reading:
        assert self._client
        stream = self._streams.get(utterance)
        if stream is None:
            while len(self._streams) >= MOST:
                oldest = self._streams.pop(next(iter(self._streams)))
                oldest.close()
                self._ending = {one for one in (*self._ending, oldest) if not one.over}
            stream = Stream(self._client, self.model, self._able, wishes)
            self._streams[utterance] = stream
        stream.feed(audio)
        if stream.unknown:
            self._can_stream = False
        return Reading(stream.text.strip(), language=wishes.language)

    async def _read(self, utterance: str, audio: Audio, wishes: Wishes) -> Reading:
        stream = self._streams.get(utterance)
        if stream and stream.live:
            try:
                reading = await stream.finish(audio, HURRY / 2 if wishes.spare else ANSWER)
            except Broken as broken:
                log.info("%s: %s; uploading the utterance", self.name, broken)
            else:
                self._down = False
                return reading
        return await self._upload(audio, wishes)

    async def _upload(self, audio: Audio, wishes: Wishes) -> Reading:
        assert self._client
        client, model, able = self._client, self.model, self._able
        if able.for_files:
            model = able.for_files
            able = abilities(model)
        once = wishes.spare and self._down  # Another engine has to keep up with the speech.
        hurry = GLANCE if once else HURRY
        return await self._persist(
            lambda: upload(client, model, able, audio, wishes),
            hurry if wishes.spare else PATIENCE,
            once=once,
        )

    async def _persist(
        self, attempt: Callable[[], Awaitable[Value]], patience: float, *, once: bool = False
    ) -> Value:
        """Try until it goes well, can't, or patience (in seconds) ends. Raises `EngineError`."""
        from openai import OpenAIError

        loop = asyncio.get_running_loop()
        until, tries, fault = loop.time() + patience, 0, None
        while True:
            try:
                async with asyncio.timeout_at(until) as bound:
                    value = await attempt()
                self._down = False
                return value
            except (OpenAIError, OSError, NotTheProtocol, JSONDecodeError) as error:
                # Where patience ended it, what was wrong before says more.
                fault = fault if fault and bound.expired() else explain(error, self.model)
            wait = _wait(fault, tries)
            tries += 1
            if once or not fault.again or loop.time() + wait >= until:
                self._down = fault.again
                raise EngineError(_given_up(fault, tries))
            log.info("%s: %s; trying again in %.1f s", self.name, fault.text, wait)
            await asyncio.sleep(wait)


def missing() -> str:
    """Return what keeps the engine from working and how to get it; empty if nothing does."""
    if find_spec("openai") is None:
        return "the package openai: pip install openai"
    if not os.environ.get(KEY):
        return (
            f"a key in the variable {KEY}: make one at https://platform.openai.com/api-keys, "
            f"export {KEY}=sk-…, and start the server again"
        )
    return ""


async def _close(client: "AsyncOpenAI | None", streams: list[Stream]) -> None:
    await asyncio.gather(*(stream.end() for stream in streams))
    if client:
        await client.close()


def _hush() -> None:
    """Keep keys and sound out of the log, whatever its level and ``OPENAI_LOG`` are."""
    for name in TALKATIVE:
        logger = logging.getLogger(name)
        logger.setLevel(max(logging.WARNING, logger.getEffectiveLevel()))


def _wait(fault: Fault, tries: int) -> float:
    """Return the seconds before the next try; chance keeps many clients apart."""
    if fault.after is not None:
        return fault.after
    return min(LONGEST_WAIT, FIRST_WAIT * 2.0**tries) * random.uniform(0.75, 1.0)


def _given_up(fault: Fault, tries: int) -> str:
    asks = f"; it asks to wait {fault.after:.0f} s" if fault.after else ""
    more = f" (tried {tries} times)" if tries > 1 else ""
    return f"{fault.text}{asks}{more}"
