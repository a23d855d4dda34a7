"""An utterance sent to OpenAI while it is spoken: a Realtime transcription session of its own.

Only new sound is sent, and what is understood comes back in pieces. ``gpt-live-transcribe``
writes while somebody speaks; the other models begin when the utterance is committed, but then
have all of its sound already.
"""

import asyncio
import base64
from typing import TYPE_CHECKING, Any

import numpy as np

from backend.engines import RATE, Audio, Reading, Wishes
from backend.engines.openai_models import Abilities
from backend.engines.openai_upload import believed, language_hint, long_enough, mean_logprob

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.resources.realtime.realtime import AsyncRealtimeConnection

WIRE_RATE = 24_000
"""Samples a second; the only rate that a Realtime session takes."""
IDLE = 30.0
"""Seconds without sound after which a session is given up."""
OPENING: Any = {"open_timeout": 5, "close_timeout": 1}
GOODBYE = 1.5
"""Seconds that a session has to end: one whose network stands still takes no goodbye."""
NOTHING: Audio = np.zeros(0, np.int16)
_ABOUT = "conversation.item.input_audio_transcription."


class Broken(Exception):
    """The session ended before the utterance was read: it has to be read in another way."""


class Stream:
    """One utterance's session. Made and driven on the line's event loop."""

    def __init__(self, client: "AsyncOpenAI", model: str, able: Abilities, wishes: Wishes) -> None:
        self.text = ""
        """What was understood so far."""
        self.sent = 0
        """Samples given to it."""
        self.unknown = False
        """The server has no Realtime sessions."""
        self._client = client
        self._asked = _session(model, able, wishes)
        self._wishes = wishes
        self._sound: asyncio.Queue[Audio | None] = asyncio.Queue()
        self._committed = False
        self._item: str | None = None
        # What the server calls the utterance, once it is committed.
        self._leaving = False
        self._said: asyncio.Future[Reading] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(self._ended)

    @property
    def over(self) -> bool:
        """Whether its connection is closed."""
        return self._task.done()

    @property
    def live(self) -> bool:
        """Whether it may still answer; it does once."""
        return not self._said.done()

    def feed(self, audio: Audio) -> None:
        """Send what is new in the sound so far, in the background."""
        if self.live and len(audio) > self.sent:
            self._sound.put_nowait(audio[self.sent :])
            self.sent = len(audio)

    async def finish(self, audio: Audio, seconds: float) -> Reading:
        """Send the rest and return what was said, within so many seconds. Raises `Broken`."""
        if len(audio) < self.sent:
            # Cut at a place that was sent already: it would say what the next one says too.
            raise Broken("more was sent than belongs to it")
        self.feed(long_enough(audio))
        self._sound.put_nowait(None)
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(self._said)
        except TimeoutError as error:
            self.close()
            raise Broken("no answer in time") from error

    def close(self) -> None:
        """Break it off. Harmless when it ends already."""
        if not self._leaving:  # A goodbye that is broken off leaves its connection open.
            self._task.cancel()

    async def end(self) -> None:
        """Break it off and return when its connection is closed."""
        self.close()
        await asyncio.wait([self._task], timeout=GOODBYE)
        self._task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        fault = None if task.cancelled() else task.exception()
        response = getattr(fault, "response", None)
        self.unknown = getattr(response, "status_code", None) in {404, 405, 501}
        self._sound = asyncio.Queue()
        if not self._said.done():
            broken = fault if isinstance(fault, Broken) else Broken(_why(fault))
            self._said.set_exception(broken)
            self._said.exception()  # Nobody may wait for it.

    async def _run(self) -> None:
        connecting = self._client.realtime.connect(
            # Without a model, or it would be a conversation.
            extra_query={"intent": "transcription"},
            websocket_connection_options=OPENING,
        )
        async with connecting as connection:
            try:
                await self._converse(connection)
            finally:
                self._leaving = True

    async def _converse(self, connection: "AsyncRealtimeConnection") -> None:
        await connection.session.update(session=self._asked)
        sending = asyncio.create_task(self._send(connection))
        try:
            async for event in connection:
                self._take(event)
                if self._said.done():
                    return
        finally:
            sending.cancel()

    async def _send(self, connection: "AsyncRealtimeConnection") -> None:
        import soxr

        resampler = soxr.ResampleStream(RATE, WIRE_RATE, 1, dtype="int16")
        last = False
        while not last:
            try:
                async with asyncio.timeout(IDLE):
                    sound = await self._sound.get()
            except TimeoutError:
                await connection.close()
                return
            last = sound is None
            heard = resampler.resample_chunk(NOTHING if sound is None else sound, last=last)
            if len(heard):
                coded = base64.b64encode(heard.astype("<i2").tobytes()).decode()
                await connection.input_audio_buffer.append(audio=coded)
        self._committed = True
        await connection.input_audio_buffer.commit()

    def _take(self, event: Any) -> None:
        kind = str(getattr(event, "type", ""))
        if kind == f"{_ABOUT}delta":
            self.text += event.delta or ""
        elif kind == "input_audio_buffer.committed":
            self._item = event.item_id
        elif kind == f"{_ABOUT}completed":
            if not self._committed or event.item_id != self._item:
                raise Broken("the server ended the utterance by itself")
            self._said.set_result(self._reading(event))
        elif kind in {f"{_ABOUT}failed", "error"}:
            raise Broken(f"{event.error.code or event.error.type}")

    def _reading(self, event: Any) -> Reading:
        reading = Reading(event.transcript.strip(), language=self._wishes.language)
        logprob = mean_logprob(event.logprobs)
        return reading if logprob is None else believed(reading, logprob)


def _why(fault: BaseException | None) -> str:
    return "the session ended" if fault is None else f"the session ended: {type(fault).__name__}"


def _session(model: str, able: Abilities, wishes: Wishes) -> Any:
    hints: dict[str, Any] = {"model": model}
    if wishes.language:
        hints.update(language_hint(able, wishes.language))
    if wishes.prompt and able.prompted:
        hints["prompt"] = wishes.prompt
    heard = {
        "format": {"type": "audio/pcm", "rate": WIRE_RATE},
        "transcription": hints,
        "turn_detection": None,  # Who speaks when is known here.
    }
    more = {"include": ["item.input_audio_transcription.logprobs"]} if able.logprobs else {}
    return {"type": "transcription", "audio": {"input": heard}, **more}
