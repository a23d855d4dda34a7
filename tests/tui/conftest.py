"""A small server that speaks the real protocol on a real port, and says what tests tell it to."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.tui.loopback import Loopback
from tests.tui.pictures import same_time_and_place  # noqa: F401
from tests.tui.told import told  # noqa: F401


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the list of servers of whoever runs the tests out of them, and the keyring too."""
    file = tmp_path / "settings" / "servers.json"
    monkeypatch.setattr("tui.servers.path", lambda: file)
    monkeypatch.setattr("tui.servers._keyring", lambda: None)
    return file


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    loopback = Loopback()
    await loopback.open()
    yield loopback
    await loopback.close()
