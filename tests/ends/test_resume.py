"""Cut off again and again, or not reading at all: no final is lost, and nobody else suffers."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from common.client import Client
from common.events import Event, Transcription, Welcome, parse
from tests.ends.speech import DEMO, SENTENCES, SPHINX, WHISPER, finals, first, pcm, send
from tests.running import Running, running

CUTS = 200


class Network:
    """A way to the server that breaks off all connections after a few bytes or moments."""

    def __init__(self, port: int) -> None:
        self.cuts = 0
        self.calm = False
        """Break nothing any more."""
        self._port = port
        self._rng = random.Random(11)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        lasts = None if self.calm else self._rng.uniform(0.005, 0.07)
        pumps = [asyncio.create_task(pump) for pump in (_pump(reader, back), _pump(there, writer))]
        try:
            await asyncio.wait(pumps, timeout=lasts, return_when=asyncio.FIRST_COMPLETED)
            self.cuts += lasts is not None
        finally:
            for pump in pumps:
                pump.cancel()
            for end in (writer, back):
                end.transport.abort()
        await asyncio.gather(*pumps, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1000):
        writer.write(data)
        await writer.drain()


@asynccontextmanager
async def bad_network(port: int) -> AsyncIterator[tuple[Network, str]]:
    network = Network(port)
    server = await asyncio.start_server(network.carry, "127.0.0.1", 0)
    async with server:
        yield network, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_client_cut_off_200_times_sees_every_final_once_and_in_order(
    server: Running, client: Client
) -> None:
    said: list[Event] = []
    seen: list[Transcription] = []
    wanted: list[int] = []
    async with bad_network(server.port) as (network, url), Client(url) as unlucky:
        stream = unlucky.events(levels=False, since=(await _now(client)))
        stream.on_link = lambda link: stream.retry_now() if link.state == "waiting" else None

        async def follow() -> None:
            async for event in stream:
                seen.extend(finals([event]))
                over = wanted and event.seq is not None and event.seq >= wanted[0]
                if over and not isinstance(event, Welcome):
                    return

        following = asyncio.create_task(follow())
        while network.cuts < CUTS:
            said += await _say_all(client)
        network.calm = True
        expected = [final.seq for final in finals(said)]
        last = expected[-1]
        assert last is not None
        wanted.append(last)
        # Finals may all be there already; this is one more durable event to wake it.
        await asyncio.wait_for(asyncio.gather(following, _open_and_close(client)), 30)
    assert len(expected) >= len(SENTENCES)
    assert [final.seq for final in seen] == expected


async def _now(client: Client) -> int:
    welcome = await first(client.events())
    assert welcome.seq is not None
    return welcome.seq


async def _say_all(client: Client) -> list[Event]:
    async with client.audio(custom_config=WHISPER) as upload:
        await send(upload, pcm(DEMO), 16_000)
        await upload.stop()
        return [event async for event in upload]


async def test_who_never_reads_is_closed_with_1013_and_can_resume() -> None:
    with running("--max-requests", "0") as server:
        async with Client(server.url) as client, httpx.AsyncClient(base_url=server.url) as http:
            deaf = await _deaf(server.port)
            async with asyncio.timeout(100):
                while "stt_slow_clients_total 1.0" not in (await http.get("/metrics")).text:
                    await asyncio.gather(*(_open_and_close(client) for _ in range(16)))
            numbers: list[int] = []
            with pytest.raises(ConnectionClosed) as caught:
                while True:
                    number = parse(await deaf.recv()).seq
                    numbers += [] if number is None else [number]
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 1013
            newest = await _now(client)
            async for event in client.events(levels=False, since=numbers[-1]):
                if isinstance(event, Welcome):
                    assert not event.gap
                elif event.seq is not None:
                    numbers.append(event.seq)
                    if event.seq >= newest:
                        break
            assert numbers == list(range(numbers[0], newest + 1))


async def _deaf(port: int) -> ClientConnection:
    """A client of whom nothing is read before somebody asks it to receive."""
    plug = socket.socket()
    plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plug.setblocking(False)
    await asyncio.get_running_loop().sock_connect(plug, ("127.0.0.1", port))
    uri = f"ws://127.0.0.1:{port}/api/v1/ws?levels=false"
    return await connect(uri, sock=plug, max_queue=1, compression=None, proxy=None)


async def _open_and_close(client: Client) -> None:
    async with client.audio(custom_config=SPHINX) as upload:
        await upload.stop()
        async for _ in upload:
            pass
