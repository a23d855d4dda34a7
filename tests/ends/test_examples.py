"""README's examples, run as they stand against a real server, only the port replaced.

The server's machine has a real (virtual) microphone, into which the demo's recording is played.
"""

import asyncio
import re
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.ends.speech import DEMO, WHISPER
from tests.running import ROOT, Running, running
from tests.virtual_microphone import VirtualMicrophone

FENCED = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
USAGE = (ROOT / "README.md").read_text().partition("## Usage\n")[2].partition("\n## ")[0]
BLOCKS = [(kind, text) for kind, text in FENCED.findall(USAGE)]
SHELL = [text for kind, text in BLOCKS if kind == "bash"]
TOKEN = "your-secret-token"
ENVIRONMENT = {"STT_SERVER_AUTH_TOKEN": TOKEN, "STT_SERVER_MAX_REQUESTS": "0"}


def of(kind: str) -> list[str]:
    return [text for one, text in BLOCKS if one == kind]


@pytest.fixture
def server(virtual_microphone: VirtualMicrophone) -> Iterator[Running]:
    """A server with a microphone, whose default is the engine and model of the tests."""
    with running(environment={**virtual_microphone.environment, **ENVIRONMENT}) as process:
        asked = {**WHISPER["transcription"]}
        configured = httpx.post(
            f"{process.url}/api/v1/transcription/configure", json=asked, timeout=60
        )
        assert configured.status_code == 200, configured.text
        yield process


def ported(text: str, server: Running) -> str:
    assert "localhost:8000" in text
    return text.replace("localhost:8000", f"localhost:{server.port}")


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
async def test_every_curl_answers_with_2xx(server: Running, tmp_path: Path) -> None:
    # The blocks stay as they are; curl is told here to fail on 400 and above.
    (tmp_path / ".curlrc").write_text("fail-with-body\nsilent\nshow-error\n")
    for block in SHELL:
        shell = await asyncio.create_subprocess_exec(
            *("bash", "-e", "-o", "pipefail", "-c", ported(block, server)),
            cwd=ROOT,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "CURL_HOME": str(tmp_path)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await asyncio.wait_for(shell.communicate(), 60)
        assert shell.returncode == 0, f"{block}\n{out.decode()}"
        if "--data-binary" in block:
            assert out.count(b"hello world") >= 3


@asynccontextmanager
async def client(*command: str) -> AsyncIterator[asyncio.StreamReader]:
    """A program of a user's, for the length of a ``with`` block; its lines."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    try:
        yield process.stdout
    finally:
        process.kill()
        await process.communicate()


async def both_heard(
    lines: asyncio.StreamReader, microphone: VirtualMicrophone, partial: str, final: str
) -> None:
    """Speak until the program has printed a partial and a final of real speech."""
    seen = ""
    speaking = asyncio.create_task(asyncio.to_thread(microphone.play, DEMO))
    while not (re.search(partial, seen) and re.search(final, seen)):
        line = await asyncio.wait_for(lines.readline(), 30)
        assert line, f"the program ended:\n{seen}"
        seen += line.decode()
    microphone.kill()  # The rest need not be said.
    await asyncio.gather(speaking, return_exceptions=True)


NODE = shutil.which("node")


@pytest.mark.skipif(not NODE, reason="node is not installed")
async def test_the_javascript_client_prints_partials_and_finals(
    server: Running, virtual_microphone: VirtualMicrophone
) -> None:
    (script,) = of("javascript")
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
        assert (await http.post("/api/v1/system/start")).status_code == 200
        # Node has WebSocket since 22; 20 wants to be asked.
        command = ["node", "--experimental-websocket", "-e", ported(script, server)]
        async with client(*command) as lines:
            await both_heard(lines, virtual_microphone, r"Partial: \w+", r"Final: \w+")


@pytest.mark.parametrize("number", [0, 1])
async def test_the_python_clients_print_partials_and_finals(
    server: Running, virtual_microphone: VirtualMicrophone, number: int
) -> None:
    script = ported(of("python")[number], server)
    partial, final = [
        (r"'text': '\w+[^}]*'is_final': False", r"'text': '\w+[^}]*'is_final': True"),
        (r"Partial: \w+", r"Final: \w+"),
    ][number]
    async with client(sys.executable, "-u", "-c", script) as lines:
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
            while not (await http.get("/api/v1/system/status")).json()["running"]:
                pass
            await both_heard(lines, virtual_microphone, partial, final)
