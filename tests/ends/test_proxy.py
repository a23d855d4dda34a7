"""README's nginx configuration, in a real nginx in front of a real server."""

import asyncio
import json
import re
import shutil
import socket
import subprocess
import wave
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from common.api import ConfigureRequest
from common.client import Client
from common.events import Transcription
from tests.ends.speech import DEMO, SPHINX, Listening, finals, heard, pcm, silence
from tests.running import ROOT, Running, running

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
pytestmark = pytest.mark.skipif(not NGINX, reason="nginx is not installed")

(BLOCK,) = re.findall(
    r"^```nginx\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL
)
TOKEN = "s3cret"
ENVIRONMENT = {
    "STT_SERVER_AUTH_ENABLED": "true",
    "STT_SERVER_AUTH_TOKEN": TOKEN,
    "STT_SERVER_TRUSTED_PROXIES": "127.0.0.1",
    "STT_SERVER_MAX_REQUESTS": "20",
    "LOG_FORMAT": "json",
}
AROUND = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 256; }}
http {{
    access_log off;
    types {{ text/html html; }}
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{block}
}}
"""


@dataclass
class Behind:
    """A server, and the address of the proxy in front of it."""

    server: Running
    url: str


def free_port() -> int:
    with socket.socket() as plug:
        plug.bind(("127.0.0.1", 0))
        port: int = plug.getsockname()[1]
        return port


@contextmanager
def proxied(server: Running, folder: Path) -> Iterator[Behind]:
    port = free_port()
    block = BLOCK
    for old, new in (("listen 80;", f"listen 127.0.0.1:{port};"), (":8000;", f":{server.port};")):
        assert block.count(old) == 1
        block = block.replace(old, new)
    file = folder / "nginx.conf"
    file.write_text(AROUND.format(folder=folder, block=block))
    command = [str(NGINX), "-p", str(folder), "-e", "stderr", "-c", str(file)]
    subprocess.run([*command, "-t"], check=True, capture_output=True)
    with subprocess.Popen(command) as nginx:
        try:
            yield Behind(server, f"http://127.0.0.1:{port}")
        finally:
            nginx.terminate()


@pytest.fixture
async def behind(tmp_path: Path) -> AsyncIterator[Behind]:
    with running(environment=ENVIRONMENT) as server, proxied(server, tmp_path) as both:
        async with asyncio.timeout(20), httpx.AsyncClient(base_url=both.url) as http:
            while True:
                try:
                    await http.get("/health")
                    break
                except httpx.ConnectError:
                    await asyncio.sleep(0.02)
        yield both


async def test_rest_and_the_page_come_through(behind: Behind) -> None:
    async with Client(behind.url, token=TOKEN) as client:
        assert (await client.status()).running is False
    async with httpx.AsyncClient(base_url=behind.url) as http:
        page = await http.get("/")
        assert page.headers["content-type"].startswith("text/html")
        for name in re.findall(r'(?:src|href)="(/[^"]+)"', page.text):
            assert (await http.get(name)).status_code == 200
        refused = await http.get("/api/v1/system/status")
        assert refused.status_code == 401
        assert re.fullmatch("[0-9a-f]{32}", refused.headers["X-Request-ID"])


async def test_a_page_of_the_proxys_origin_may_come_in_and_another_may_not(behind: Behind) -> None:
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(base_url=behind.url, headers=bearer) as http:
        for origin, status in ((behind.url, 200), ("http://elsewhere.example", 403)):
            answer = await http.get("/api/v1/system/status", headers={"Origin": origin})
            assert answer.status_code == status


async def test_both_sockets_come_through_with_real_speech(behind: Behind) -> None:
    async with Client(behind.url, token=TOKEN) as client:
        listening = await Listening.to(client)
        told = finals(await heard(client, pcm(DEMO, 4), SPHINX))
        assert told
        seen = await listening.until(lambda e: isinstance(e, Transcription) and e.is_final)
        assert seen[-1].session_id == told[0].session_id
        await Listening.end_all()
    lines = [json.loads(line) for line in behind.server.lines]
    (began,) = [line for line in lines if line["message"].startswith("began: ")]
    assert began["session"] == told[0].session_id
    assert re.fullmatch("[0-9a-f]{32}", began["request"])


async def test_a_recording_larger_than_nginx_takes_by_itself_comes_through(
    behind: Behind, tmp_path: Path
) -> None:
    file = tmp_path / "long.wav"
    with wave.open(str(file), "wb") as recording:
        recording.setparams((1, 2, 16000, 0, "NONE", "not compressed"))
        recording.writeframes(pcm(DEMO, 3) + silence(100))
    assert file.stat().st_size > 3 << 20
    async with Client(behind.url, token=TOKEN) as client:
        await client.configure(ConfigureRequest(engine="pocketsphinx"))
        transcript = await client.transcribe(file)
    assert transcript.text
    assert transcript.duration > 100


async def test_callers_behind_it_have_a_limit_each(behind: Behind) -> None:
    async def ask(address: str, times: int) -> list[int]:
        # Bound to an address of its own, as another machine would be.
        transport = httpx.AsyncHTTPTransport(local_address=address)
        async with httpx.AsyncClient(transport=transport, base_url=behind.url) as http:
            answers = [await http.get("/api/v1/system/status") for _ in range(times)]
            return [answer.status_code for answer in answers]

    assert 429 in await ask("127.0.0.2", 200)
    assert await ask("127.0.0.3", 1) == [401]


async def test_leaving_is_told_through_it(behind: Behind) -> None:
    where = behind.url.replace("http", "ws", 1) + "/api/v1/ws"
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    async with connect(where, additional_headers=bearer, proxy=None) as events:
        await events.recv()
        assert await asyncio.to_thread(behind.server.stop) == 0
        with pytest.raises(ConnectionClosed) as caught:
            await events.recv()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1012
