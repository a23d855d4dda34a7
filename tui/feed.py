"""Sound of this machine on its way to a session of its own on a server."""

import asyncio
import re
import secrets
from contextlib import suppress
from typing import Any

from common.client import Client
from common.problems import Broken, Refused
from common.stream import AudioUpload
from tui.sounds import Sound


def called(name: str) -> str:
    """Return an id for a session that tells everyone whose words these are, and is its own.

    Args:
        name: the sound's; what an id can't hold becomes a dash.

    """
    fit = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("._-")[:48].rstrip("._-")
    return f"{fit or 'stream'}-{secrets.token_hex(3)}"


class Feed:
    """One stream of this console. `run` lasts as long as it does."""

    def __init__(self, client: Client, sound: Sound, profile: str | None) -> None:
        self.sound = sound
        self.sent = 0.0
        """Seconds of sound."""
        self.session_id: str | None = None
        self._upload = client.audio(
            profile,
            session_id=called(sound.name),
            sample_rate=sound.rate,
            channels=sound.channels,
        )
        self._enough = asyncio.Event()

    def stop(self) -> None:
        """Send no more; what was sent is transcribed."""
        self._enough.set()

    async def run(self) -> None:
        """Send until there is no more, or somebody has had enough. Raises `ClientError`.

        Returns after the server has transcribed it all.
        """
        try:
            async with self._upload as upload:
                self.session_id = upload.session_id
                await self._send_and_hear(upload)
        finally:
            await self.sound.close()

    async def _send_and_hear(self, upload: AudioUpload) -> None:
        hearing = asyncio.ensure_future(_hear(upload))
        sending = asyncio.ensure_future(self._send(upload))
        enough = asyncio.ensure_future(self._enough.wait())
        everything = (hearing, sending, enough)
        try:
            # The server may end it, too: somebody stopped the session there.
            await asyncio.wait(everything, return_when=asyncio.FIRST_COMPLETED)
            if not hearing.done():
                if sending.done():
                    sending.result()
                await _quietly_cancel(sending)
                await upload.stop()
            await hearing
        finally:
            for task in everything:
                await _quietly_cancel(task)

    async def _send(self, upload: AudioUpload) -> None:
        second = 2 * self.sound.channels * self.sound.rate
        async for block in self.sound:
            await upload.send(block)
            self.sent += len(block) / second


async def _hear(upload: AudioUpload) -> None:
    # The console hears of its session like everybody else; here they only make way.
    async for _ in upload:
        pass


async def _quietly_cancel(task: "asyncio.Future[Any]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError, Broken, Refused):
        await task
