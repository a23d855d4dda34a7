"""The running server does what its OpenAPI document says, as schemathesis sees it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from backend.openapi import document
from tests.running import running

CONFIG = Path(__file__).with_name("schemathesis.toml")
PROGRAM = Path(sys.executable).with_name("schemathesis")
TOKEN = "a-token-for-the-test"


@pytest.mark.parametrize("token", ["", TOKEN], ids=["open", "token"])
def test_the_server_does_what_its_document_says(token: str, tmp_path: Path) -> None:
    environment = {"STT_SERVER_MAX_REQUESTS": "0", "HF_HUB_OFFLINE": "1"}
    if token:
        environment |= {"STT_SERVER_AUTH_ENABLED": "true", "STT_SERVER_AUTH_TOKEN": token}
    with running(environment=environment) as server:
        found = subprocess.run(
            [
                *(PROGRAM, "--config-file", CONFIG, "run", f"{server.url}/openapi.json"),
                *("--max-examples=5", "--max-time=15", "--continue-on-failure"),
            ],
            check=False,
            cwd=tmp_path,
            env={**os.environ, "STT_TEST_TOKEN": token or TOKEN},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=90,
        )
        assert found.returncode == 0, found.stdout[-10_000:]
        paths = document(wants_token=False)["paths"].values()
        count = sum(map(len, paths)) - 1  # The document itself is left out.
        assert f"{count} selected / {count} total" in found.stdout
        assert server.stop() == 0
    assert "Traceback" not in server.log
