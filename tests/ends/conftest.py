from collections.abc import AsyncIterator, Iterator

import pytest

from common.client import Client
from tests.running import Running, running


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
        if await made.sessions():
            await made.stop()
