from collections.abc import AsyncIterator, Iterator

import pytest

from common.client import Client
from tests.ends.speech import Listening
from tests.running import Running, running
from tests.virtual_microphone import virtual_microphone

__all__ = ["virtual_microphone"]


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    """A real server process, one for a module's tests."""
    with running() as process:
        yield process


@pytest.fixture
async def client(server: Running) -> AsyncIterator[Client]:
    """A client of it; what a test left running is stopped."""
    async with Client(server.url) as made:
        yield made
        await Listening.end_all()
        if await made.sessions():
            await made.stop()


@pytest.fixture(autouse=True)
async def nobody_listens_on() -> AsyncIterator[None]:
    yield
    await Listening.end_all()
