"""Listening with another profile: how the server listens changes, not to what."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from common.client import Client
    from tui.state import State

MICROPHONE = "microphone"


async def start(client: Client, profile: str | None, state: State, *, restart: bool) -> None:
    """Have the server listen. Raises `ClientError`.

    What plays a file goes on with that file, from its beginning, unless the profile names a source
    of its own.

    Args:
        client: the server's.
        profile: a profile's name; None takes the server's default.
        state: what the server does now.
        restart: replace what listens already.

    """
    changes = {}
    if restart and profile and state.running and state.source.startswith("file:"):
        given = (await client.profile(profile)).config.get("audio") or {}
        if given.get("source", MICROPHONE) == MICROPHONE:
            changes = {"audio": {"source": state.source}}
    await client.start(profile, changes, restart=restart)
