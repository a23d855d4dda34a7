"""History over REST, on a real server: found, resumed from, exported, heard, deleted."""

import io
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import soundfile
from websockets.asyncio.client import connect

from common.client import Client
from common.events import Transcription, Welcome, parse
from common.problems import Refused
from tests.ends.speech import BESIDES, SPHINX, finals, heard, pcm, silence
from tests.ends.test_refusals import is_fault
from tests.running import SOUNDS, Running, running

HISTORY = "/api/v1/history"
SAID = pcm(SOUNDS / "hello-world.flac") + silence(1) + pcm(SOUNDS / "turn-the-lights-on.flac")
KEEPING: dict[str, Any] = {**SPHINX, "audio": {"keep": True}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("home")
    environment = {"STT_SERVER_DATA_DIR": str(home), "STT_SERVER_MAX_REQUESTS": "0"}
    with running(environment=environment) as process:
        yield process


@pytest.fixture
async def http(server: Running) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as made:
        yield made


async def test_what_was_said_is_found_as_it_was_told(client: Client) -> None:
    said = finals(await heard(client, SAID, SPHINX, session_id="kitchen"))
    assert len(said) >= 2
    kept = (await client.history.page(session="kitchen", order="oldest")).utterances
    assert [one.model_dump(exclude=BESIDES) for one in kept] == [one.model_dump() for one in said]
    word = said[0].text.split()[0]
    assert said[0].seq in [one.seq async for one in client.history.search(word)]
    assert said[0].seq is not None
    assert (await client.history.utterance(said[0].seq)).text == said[0].text
    session = next(
        one for one in (await client.history.sessions()).sessions if one.session_id == "kitchen"
    )
    assert (session.reason, session.source, session.utterances) == ("stopped", "stream", len(said))
    srt = await client.history.export("srt", session="kitchen")
    assert srt.startswith("1\n00:00:0")
    assert said[1].text in srt
    assert (await client.history.export("json", said[0].text, session="kitchen")).startswith("[")


async def test_sound_is_kept_only_where_the_profile_asks_for_it(client: Client) -> None:
    said = finals(await heard(client, SAID, KEEPING))
    samples, rate = soundfile.read(io.BytesIO(await client.history.sound(said[0].seq or 0)))
    assert rate == 16000
    assert len(samples) / rate >= said[0].end - said[0].start
    silent = finals(await heard(client, SAID, SPHINX))
    with pytest.raises(Refused, match=r"audio\.keep"):
        await client.history.sound(silent[0].seq or 0)


async def test_deleting_is_for_good(client: Client, http: httpx.AsyncClient) -> None:
    said = finals(await heard(client, SAID, KEEPING, session_id="secret"))
    first = said[0].seq or 0
    assert await client.history.delete(first) == 1
    is_fault(await http.get(f"{HISTORY}/utterances/{first}"), 404, str(first))
    is_fault(await http.get(f"{HISTORY}/utterances/{first}/audio"), 404)
    is_fault(await http.delete(f"{HISTORY}/utterances/{first}"), 404)
    assert await client.history.delete_session("secret") == len(said) - 1
    is_fault(await http.delete(f"{HISTORY}/sessions/secret"), 404, "secret")
    is_fault(await http.delete(HISTORY), 400, "confirm=all")
    is_fault(await http.delete(HISTORY, params={"confirm": "yes"}), 400, "confirm")
    await client.history.delete_all()
    assert (await client.history.overview()).utterances == 0


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("utterances?limit=0", 400),
        ("utterances?limit=1001", 400),
        ("utterances?before=x", 400),
        ("utterances?order=random", 400),
        ("utterances?nonsense=1", 400),
        ("utterances/abc", 404),
        ("utterances/-1", 404),
        ("utterances/99999999999999999999999", 404),
        ("utterances/0", 404),
        ("sessions?limit=no", 400),
        ("export?format=pdf", 400),
    ],
)
async def test_what_cannot_be_is_refused(http: httpx.AsyncClient, path: str, status: int) -> None:
    is_fault(await http.get(f"{HISTORY}/{path}"), status)


async def test_status_metrics_and_doctor_tell_of_it(
    client: Client, http: httpx.AsyncClient
) -> None:
    status = (await client.status()).history
    assert status is not None
    assert status.state == "on"
    assert 'stt_history_state{state="on"} 1.0' in (await http.get("/metrics")).text
    findings = {one.name: one for one in (await client.doctor()).findings}
    assert findings["history"].state == "ok"


async def test_finals_of_an_earlier_life_come_again_with_since(tmp_path: Path) -> None:
    environment = {"STT_SERVER_DATA_DIR": str(tmp_path)}
    with running(environment=environment) as server:
        async with Client(server.url) as client:
            said = finals(await heard(client, SAID, SPHINX))
        server.stop()
    with running(environment=environment) as server:
        url = f"ws{server.url.removeprefix('http')}/api/v1/ws?levels=false&since={said[0].seq}"
        async with connect(url, proxy=None) as socket:
            welcome = parse(await socket.recv())
            assert isinstance(welcome, Welcome)
            assert (welcome.gap, welcome.from_history) == (False, len(said) - 1)
            again = [parse(await socket.recv()) for _ in range(welcome.from_history)]
        assert again == said[1:]
        async with connect(url.replace(str(said[0].seq), "5"), proxy=None) as socket:
            welcome = parse(await socket.recv())
            assert isinstance(welcome, Welcome)
            assert welcome.gap, "history began later than that"
            assert isinstance(parse(await socket.recv()), Transcription)


async def test_without_history_nothing_is_written_and_all_else_works(tmp_path: Path) -> None:
    environment = {"STT_SERVER_DATA_DIR": str(tmp_path / "none"), "STT_SERVER_HISTORY": "false"}
    with running(environment=environment) as server:
        async with Client(server.url) as client:
            assert finals(await heard(client, SAID, SPHINX))
            with pytest.raises(Refused, match="STT_SERVER_HISTORY") as caught:
                await client.history.page()
            assert caught.value.status_code == 503
    assert not (tmp_path / "none").exists()


async def test_history_wants_the_token_like_everything_else() -> None:
    secret = {"STT_SERVER_AUTH_ENABLED": "true", "STT_SERVER_AUTH_TOKEN": "s3cret"}
    with running(environment=secret) as server:
        async with httpx.AsyncClient(base_url=server.url) as http:
            for path in ("", "/sessions", "/utterances", "/utterances/1/audio", "/export"):
                is_fault(await http.get(HISTORY + path), 401)
            is_fault(await http.delete(HISTORY, params={"confirm": "all"}), 401)
