from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub import Hub, serving_hub
from tests.running import TINY

NAME = "mlx-community/whisper-tiny"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the hub's cache, which is empty."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.fixture
def served(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Return a hub on this machine that has one model, which its client takes for the hub."""
    from huggingface_hub import constants

    with serving_hub() as hub:
        hub.add(NAME, TINY)
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield hub
