"""One line per final or event, for pipes and screen readers; everything else goes to stderr."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Coroutine
from typing import Any

from common.client import Client
from common.events import (
    AudioStatus,
    EngineStatus,
    Error,
    Event,
    Level,
    SessionStarted,
    SessionStopped,
    SystemStatus,
    Transcription,
    Welcome,
    encode,
)
from common.link import Link
from common.problems import ClientError, Refused, Unauthorized
from common.stream import EventStream
from tui.state import recovery, speaker
from tui.text import one_line

DONE, FAILED = 0, 1


class Printer:
    """What has been printed, and whether there is more to come."""

    def __init__(self, client: Client, *, once: bool, patience: float, as_json: bool) -> None:
        self._client = client
        self._once = once
        self._as_json = as_json
        self._greeted = False
        self._over = False
        self._audio: AudioStatus | None = None
        self.failed = False
        """Whether the session that `once` waited for broke off."""
        self._printed: set[tuple[str | None, str]] = set()
        self._fed: set[str | None] = set()
        self._patience = patience
        self._losing_patience: asyncio.TimerHandle | None = None
        self.gave_up = asyncio.Event()
        """Set when the server was away for too long."""

    async def run(self, events: EventStream) -> None:
        """Print finals until the session is over, or for ever without `once`."""
        events.on_link = self._linked
        async for event in events:
            if self._as_json and not isinstance(event, Level):
                print(as_line(event), flush=True)
            if isinstance(event, Welcome):
                await self._welcome(event)
            self._tell(event)
            if self._once and self._is_over(event):
                self.failed = isinstance(event, SessionStopped) and event.reason == "failed"
                return

    async def _welcome(self, welcome: Welcome) -> None:
        if welcome.gap:
            say("some of what was said is missing here")
        for final in welcome.recent:
            # What was said before we came is news only to somebody who wants it all.
            if self._once or self._greeted:
                self._print(final)
            else:
                self._printed.add((final.session_id, final.utterance_id))
        try:
            status = await self._client.status()
        except ClientError as error:
            say(str(error))
            return
        if status.audio.fault and not (self._audio and self._audio.fault):
            say(status.audio.fault)
        self._hear_of(status.audio)
        self._fed |= {s.session_id for s in status.sessions if s.source in ("stream", "upload")}
        # A server that has never listened yet is still about to begin.
        self._over = status.starts > 0 and not status.running
        if not self._greeted:
            self._greeted = True
            name_engine(status.engine)

    def _tell(self, event: Event) -> None:
        match event:
            case Transcription(is_final=True):
                self._print(event)
            case SessionStarted():
                say(f"listening to {speaker(event.session_id, event.source)}")
                if event.source in ("stream", "upload"):
                    self._fed.add(event.session_id)
            case SessionStopped():
                say(f"listening {event.reason}")
            case SystemStatus(audio=audio):
                self._hear_of(audio)
            case Error():
                say(f"{event.error}: {event.details}")

    def _hear_of(self, audio: AudioStatus | None) -> None:
        """Tell when a fault of the microphone is over; that it began is an `Error`."""
        if news := recovery(self._audio, audio):
            say(news)
        self._audio = audio

    def _is_over(self, event: Event) -> bool:
        if isinstance(event, Welcome):
            return self._over and not event.running
        return isinstance(event, SessionStopped) and event.session_id not in self._fed

    def _print(self, final: Transcription) -> None:
        key = (final.session_id, final.utterance_id)
        text = one_line(final.text)
        if text and key not in self._printed and not self._as_json:
            print(text, flush=True)
        self._printed.add(key)

    def _linked(self, link: Link) -> None:
        if link.state != "up" and not self._losing_patience and (self._once or not self._greeted):
            loop = asyncio.get_running_loop()
            self._losing_patience = loop.call_later(self._patience, self.gave_up.set)
        if link.state == "up":
            if self._losing_patience:
                self._losing_patience.cancel()
            self._losing_patience = None
            say(f"connected to {self._client.url}")
        elif link.state == "waiting" and link.attempt == 1:
            # Told once for each loss, not for each try.
            say(f"no connection to {self._client.url}: {link.reason}; trying again")


def as_line(event: Event) -> str:
    """Return an event as on the wire, on one line of ASCII: any terminal and pipe can take it."""
    return json.dumps(json.loads(encode(event)))


def name_engine(engine: EngineStatus) -> None:
    model = f", model {engine.model}" if engine.model else ""
    why = f" ({engine.reason})" if engine.reason else ""
    say(f"engine: {engine.name}{model}{why}")


def say(text: str) -> None:
    """Tell whoever watches, out of the way of what is piped on."""
    print(f"stt-console: {one_line(text)}", file=sys.stderr, flush=True)


def listen(
    url: str,
    token: str | None,
    *,
    once: bool = False,
    patience: float = 10.0,
    as_json: bool = False,
) -> int:
    """Print finals as they come; return the exit code.

    Args:
        url: the server's address.
        token: its token, where it wants one.
        once: end when the server's listening has ended, with 1 if it failed; also print the
            finals that it remembers from before.
        patience: seconds to try before giving up on a server that doesn't answer; a lost
            connection is tried again for ever, with `once` as long.
        as_json: print every event but levels instead, as one line of JSON.

    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        return asyncio.run(_until_told(_listen(url, token, once, patience, as_json)))
    except KeyboardInterrupt:
        return DONE
    except BrokenPipeError:
        # Whoever read us has had enough. Python would complain once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE


async def _listen(url: str, token: str | None, once: bool, patience: float, as_json: bool) -> int:
    async with Client(url, token) as client:
        printer = Printer(client, once=once, patience=patience, as_json=as_json)
        printing = asyncio.create_task(printer.run(client.events(levels=False)))
        waiting = asyncio.create_task(printer.gave_up.wait())
        try:
            await asyncio.wait({printing, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if not printing.done():
                say(f"gave up on {url}: is stt-server running there?")
                return FAILED
            await printing
            return FAILED if printer.failed else DONE
        except Unauthorized as error:
            say(f"{error}. Give the server's token with --token TOKEN or STT_CONSOLE_TOKEN")
            return FAILED
        except Refused as error:
            say(f"the server refuses: {error}")
            return FAILED
        finally:
            for task in (printing, waiting):
                task.cancel()
            await asyncio.gather(printing, waiting, return_exceptions=True)


async def _until_told(work: Coroutine[Any, Any, int]) -> int:
    """Do the work; SIGINT and SIGTERM end it in good order."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        return DONE
