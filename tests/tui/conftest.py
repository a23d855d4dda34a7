"""A small server that speaks the real protocol on a real port, and says what tests tell it to."""

from collections.abc import AsyncIterator

import pytest

from tests.tui.loopback import Loopback


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    loopback = Loopback()
    await loopback.open()
    yield loopback
    await loopback.close()
