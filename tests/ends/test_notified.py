"""What a real server tells systemd, from the first answer to the last."""

import asyncio
import socket
from pathlib import Path

import httpx

from tests.running import running


async def test_a_server_is_ready_when_it_answers_and_says_when_it_leaves(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(tmp_path / "notify"))
        told.setblocking(False)
        loop = asyncio.get_running_loop()

        async def hear() -> str:
            return (await asyncio.wait_for(loop.sock_recv(told, 4096), 30)).decode()

        environment = {"NOTIFY_SOCKET": told.getsockname(), "WATCHDOG_USEC": "200000"}
        with running(environment=environment, wait=False) as server:
            ready = await hear()
            assert ready.startswith("READY=1\nSTATUS=listening on http://127.0.0.1:")
            async with httpx.AsyncClient(trust_env=False) as http:
                assert (await http.get(ready.rpartition(" ")[2] + "/health")).status_code == 200
            assert [await hear() for _ in range(3)] == ["WATCHDOG=1"] * 3
            server.process.terminate()
            while (last := await hear()) == "WATCHDOG=1":
                pass
            assert last.startswith("STOPPING=1")
            assert await asyncio.to_thread(server.wait) == 0
