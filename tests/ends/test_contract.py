"""What the contract promises beyond the pipe: profiles, devices, engines, configure, figures."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from common.client import Client
from tests.ends.speech import DEMO, SPHINX, WHISPER, Listening, finals, partials, talking
from tests.ends.test_refusals import is_fault
from tests.running import Running, running

PROFILES = "/api/v1/system/profiles"
CONFIGURE = "/api/v1/transcription/configure"
START, STOP = "/api/v1/system/start", "/api/v1/system/stop"
PLAYING: dict[str, Any] = {**WHISPER, "audio": {"source": f"file:{DEMO}"}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("profiles")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Running]:
    environment = {"STT_SERVER_PROFILES_DIR": str(folder), "STT_SERVER_MAX_REQUESTS": "0"}
    with running(environment=environment) as process:
        yield process


@pytest.fixture
async def http(server: Running) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        yield client
        await client.post(STOP)


async def test_a_profile_is_saved_listed_replaced_and_deleted(
    http: httpx.AsyncClient, folder: Path
) -> None:
    # The reference's own example.
    config = {
        "description": "High sensitivity for noisy environments",
        "vad": {"sensitivity": 0.8, "min_speech_duration": 0.5},
        "transcription": {"language": "en"},
    }
    saved = await http.post(f"{PROFILES}/noisy-env", json=config)
    assert saved.json()["data"] == {"saved": True, "name": "noisy-env"}
    assert json.loads((folder / "noisy-env.json").read_text()) == config
    told = (await http.get(f"{PROFILES}/noisy-env")).json()
    assert (told["name"], told["builtin"]) == ("noisy-env", False)
    assert told["config"]["vad"]["sensitivity"] == 0.8
    assert told["config"]["vad"]["min_silence_duration"] == 0.7
    listed = (await http.get(PROFILES)).json()["profiles"]
    assert {"noisy-env": config["description"]}.items() <= {
        one["name"]: one["description"] for one in listed if not one["builtin"]
    }.items()

    exported = await http.get(f"{PROFILES}/noisy-env/export")
    assert 'filename="noisy-env.json"' in exported.headers["content-disposition"]
    again = await http.put(f"{PROFILES}/noisy-env", content=exported.content)
    assert again.status_code == 200
    assert json.loads((folder / "noisy-env.json").read_text()) == config

    deleted = await http.delete(f"{PROFILES}/noisy-env")
    assert deleted.json()["data"] == {"deleted": True, "name": "noisy-env"}
    is_fault(await http.delete(f"{PROFILES}/noisy-env"), 404, "noisy-env")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "body", "status", "words"),
    [
        ("wake-word", "{}", 409, ["built in"]),
        ("Mine", "{}", 400, ["a-z"]),
        ("x" * 65, "{}", 400, ["64"]),
        (".hidden", "{}", 400, ["begin with"]),
        ("..%2f..%2fetc", "{}", 404, []),
        ("..", "{}", 404, []),
        ("mine", '{"vad":{"sensitivity":7}}', 400, ["vad.sensitivity"]),
        ("mine", '{"vda":{}}', 400, ["vda"]),
        ("mine", '{"wake_word":{"words":[" "]}}', 400, ["wake_word.words.0"]),
        ("mine", "[]", 400, []),
        ("mine", "{", 400, ["JSON"]),
        ("mine", '{"vad":{"sensitivity":NaN}}', 400, []),
        ("mine", '{"audio":{"gain":1e400}}', 400, ["audio.gain"]),
        ("mine", '{"transcription":{"options":{"a":[1e400]}}}', 400, ["transcription.options"]),
        ("mine", '{"transcription":{"auto_start":false}}', 400, ["wake_word.enabled"]),
    ],
)
async def test_a_profile_that_cannot_be_is_refused_and_nothing_is_written(
    http: httpx.AsyncClient, folder: Path, name: str, body: str, status: int, words: list[str]
) -> None:
    is_fault(await http.post(f"{PROFILES}/{name}", content=body), status, *words)
    assert list(folder.iterdir()) == []


async def test_a_damaged_profile_is_told_and_kept(http: httpx.AsyncClient, folder: Path) -> None:
    (folder / "old.json").write_text('{"vad":{"sensitivity":7}}')
    listed = (await http.get(PROFILES)).json()["profiles"]
    (old,) = (one for one in listed if one["name"] == "old")
    assert "vad.sensitivity" in old["fault"]
    is_fault(await http.post(START, json={"profile": "old"}), 400, "damaged", "old.json")
    assert (await http.put(f"{PROFILES}/old", json={})).status_code == 200
    kept = [path for path in folder.iterdir() if "damaged" in path.name]
    assert [path.read_text() for path in kept] == ['{"vad":{"sensitivity":7}}']
    assert (await http.delete(f"{PROFILES}/old")).status_code == 200
    kept[0].unlink()


@pytest.mark.parametrize(
    "text",
    ["[" * 200_000, '{"a":' * 500, "", "\xff", "null"],
    # pytest puts the name into the environment, where so long a one lets no process start.
    ids=["deep", "cut off", "empty", "no UTF-8", "null"],
)
async def test_a_file_that_is_no_profile_hides_no_other(
    http: httpx.AsyncClient, folder: Path, text: str
) -> None:
    (folder / "odd.json").write_text(text, encoding="latin-1")
    listed = {one["name"]: one for one in (await http.get(PROFILES)).json()["profiles"]}
    assert listed["odd"]["fault"]
    assert listed["vad-triggered"]["fault"] is None
    is_fault(await http.get(f"{PROFILES}/odd"), 400, "damaged")
    assert (await http.put(f"{PROFILES}/odd", json={})).status_code == 200
    assert (await http.delete(f"{PROFILES}/odd")).status_code == 200
    (kept,) = folder.glob("odd.json.damaged-*")
    kept.unlink()


async def test_engines_say_what_is_here_and_how_to_get_the_rest(http: httpx.AsyncClient) -> None:
    told = (await http.get("/api/v1/system/engines")).json()
    engines = {engine["name"]: engine for engine in told["engines"]}
    assert set(engines) == {"mlx_whisper", "pocketsphinx", "openai"}
    assert engines["pocketsphinx"]["installed"]
    assert engines["pocketsphinx"]["missing"] == ""
    assert engines["openai"]["missing"]
    assert "large-v3-turbo" in [model["name"] for model in engines["mlx_whisper"]["models"]]
    assert told["auto"]


async def test_devices_are_listed_or_it_is_said_why_not(http: httpx.AsyncClient) -> None:
    response = await http.get("/api/v1/system/devices")
    if response.status_code == 503:
        is_fault(response, 503, "PortAudio")
    else:
        assert isinstance(response.json()["devices"], list)


async def test_configure_changes_what_starts_and_what_runs(
    http: httpx.AsyncClient, client: Client
) -> None:
    asked = {"engine": "mlx_whisper", "model": WHISPER["transcription"]["model"], "language": "en"}
    configured = (await http.post(CONFIGURE, json=asked)).json()["data"]
    assert asked.items() <= configured["transcription"].items()
    assert configured["engine"]["state"] == "ready"
    alike = (await http.post(CONFIGURE, json={"engine": "auto"})).json()["data"]["transcription"]
    assert (alike["engine"], alike["model"]) == ("auto", asked["model"])
    listening = await Listening.to(client)
    await client.start(custom_config={"audio": {"source": f"file:{DEMO}"}})
    await listening.until(talking(3))
    await http.post(CONFIGURE, json={"engine": "pocketsphinx", "words": True})
    assert (await client.status()).engine.name == "pocketsphinx"
    events = await listening.until(lambda event: event in finals([event]) and bool(event.words))
    last = finals(events)[-1]
    assert last.engine == "pocketsphinx"
    await client.stop()
    for bad, status, word in [
        ({"engine": "openai"}, 503, "openai"),
        ({"model": "/no/such/folder", "engine": "mlx_whisper"}, 503, "/no/such/folder"),
        ({"engine": "loud"}, 400, "engine"),
        ({"volume": 1}, 400, "volume"),
        ({"language": "no"}, 503, "English only"),
    ]:
        is_fault(await http.post(CONFIGURE, json=bad), status, word)
    kept = (await http.post(CONFIGURE, json={})).json()["data"]["transcription"]
    assert (kept["engine"], kept["language"]) == ("pocketsphinx", "en")
    await http.post(CONFIGURE, json={"engine": "auto", "language": None, "words": False})


async def test_configure_brings_partials_to_a_session_that_was_started_without(
    http: httpx.AsyncClient, client: Client
) -> None:
    listening = await Listening.to(client)
    silent = {"transcription": {**WHISPER["transcription"], "partials": False}}
    await client.start(custom_config={**PLAYING, **silent})
    await http.post(CONFIGURE, json={"partials": True, "partial_interval": 0.1})
    await listening.until(lambda event: bool(partials([event])), 30)
    await client.stop()
    await http.post(CONFIGURE, json={"partial_interval": 0.5})


async def test_status_and_metrics_tell_how_it_goes(http: httpx.AsyncClient, client: Client) -> None:
    listening = await Listening.to(client)
    started = await client.start(custom_config=PLAYING)
    await listening.until(lambda event: bool(finals([event])))
    status = (await http.get("/api/v1/transcription/status")).json()
    assert status["engine"]["name"] == "mlx_whisper"
    (session,) = status["sessions"]
    assert session["session_id"] == started.session_id
    assert session["finals"] == 1
    assert session["real_time_factor"] > 0
    assert 0 < session["latency_p50"] <= session["latency_p95"]
    metrics = (await http.get("/metrics")).text
    values = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if not line.startswith("#"))
    assert float(values["stt_final_latency_seconds_count"]) >= 1
    assert float(values["stt_real_time_factor_count"]) >= 1
    assert float(values["stt_sessions"]) == 1
    assert float(values["stt_client_queue_depth"]) >= 0
    assert float(values["stt_connections"]) == 1
    ready = [name for name, value in values.items() if 'state="ready"' in name and value == "1.0"]
    assert any("mlx_whisper" in name for name in ready)


async def test_a_thousand_interleaved_calls_leave_what_one_of_them_asked_for(
    http: httpx.AsyncClient, client: Client
) -> None:
    rng = random.Random(3)
    sphinx = {**SPHINX, "audio": {"source": f"file:{DEMO}"}}
    calls: list[tuple[str, dict[str, Any]]] = [
        (START, {"custom_config": sphinx}),
        (START, {"custom_config": sphinx, "restart": True, "profile": "captions"}),
        (STOP, {}),
        (CONFIGURE, {"engine": "pocketsphinx", "partials": False}),
        (CONFIGURE, {"engine": "auto", "words": True}),
    ]
    gate = asyncio.Semaphore(32)

    async def call(path: str, body: dict[str, Any]) -> int:
        async with gate:
            return (await http.post(path, json=body or None)).status_code

    wanted = [rng.choice(calls) for _ in range(1000)]
    codes = await asyncio.gather(*(call(path, body) for path, body in wanted))
    assert set(codes) <= {200, 409}
    status = await client.status()
    assert len(status.sessions) == int(status.running)
    assert status.profile in ({"vad-triggered", "captions"} if status.running else {None})
    assert status.active_features == (["vad", "transcription"] if status.running else [])
    # And it still does what it is told.
    await client.start(custom_config=sphinx, restart=True)
    assert (await client.status()).running
    await client.stop()
    assert (await client.sessions()) == []
    await http.post(CONFIGURE, json={"engine": "auto", "words": False, "partials": True})


async def test_too_many_requests_are_429_with_when_to_come_back() -> None:
    with running("--max-requests", "5") as server:
        async with httpx.AsyncClient(base_url=server.url) as http:
            codes = [(await http.get("/api/v1/system/profiles")) for _ in range(40)]
            assert {200, 429} == {response.status_code for response in codes}
            late = next(response for response in codes if response.status_code == 429)
            is_fault(late, 429, "STT_SERVER_MAX_REQUESTS")
            assert int(late.headers["retry-after"]) >= 1
            assert (await http.get("/health")).status_code == 200


async def test_a_name_that_may_be_a_web_pages_is_refused(http: httpx.AsyncClient) -> None:
    strange = {"Host": "rebound.example"}
    is_fault(await http.get("/api/v1/system/status", headers=strange), 403, "rebound.example")
    known = {"Host": "localhost:8000", "Origin": "http://localhost:8000"}
    assert (await http.get("/api/v1/system/status", headers=known)).status_code == 200


async def test_pages_of_listed_origins_may_come_in() -> None:
    with running("--cors-origins", "https://studio.example") as server:
        async with httpx.AsyncClient(base_url=server.url) as http:
            listed = {"Origin": "https://studio.example"}
            asked = {**listed, "Access-Control-Request-Method": "POST"}
            allowed = await http.options(START, headers=asked)
            assert allowed.status_code == 204
            assert allowed.headers["access-control-allow-origin"] == "https://studio.example"
            assert "Authorization" in allowed.headers["access-control-allow-headers"]
            got = await http.get("/api/v1/system/status", headers=listed)
            assert got.headers["access-control-allow-origin"] == "https://studio.example"
            other = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
            is_fault(await http.options(START, headers=other), 403, "evil.example")
