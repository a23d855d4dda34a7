"""The models' life over a real server: pulled from a hub on this machine, loaded, used, deleted."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from common.client import Client, Refused
from common.events import Error, Event, ModelProgress, SystemStatus
from common.models import ModelInfo
from tests.ends.speech import DEMO, Listening, finals, heard, pcm, silence
from tests.ends.test_refusals import is_fault
from tests.hub import REVISION, Hub, serving_hub, until_kept
from tests.running import TINY, Running, running

NAME = "mlx-community/whisper-tiny"
MODELS = "/api/v1/system/models"
WEIGHTS = (TINY / "weights.npz").stat().st_size
SIZE = WEIGHTS + (TINY / "config.json").stat().st_size


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving_hub() as hub:
        hub.add(NAME, TINY)
        yield hub


@pytest.fixture
def environment(hub: Hub, tmp_path: Path) -> dict[str, str]:
    return {"HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "0"}


@pytest.fixture
def server(environment: dict[str, str]) -> Iterator[Running]:
    with running(environment=environment) as process:
        yield process


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server of an empty cache, and of a hub that has nothing."""
    with serving_hub() as hub:
        cache = str(tmp_path_factory.mktemp("hub"))
        with running(environment={"HF_ENDPOINT": hub.url, "HF_HUB_CACHE": cache}) as process:
            yield process


@pytest.fixture
async def http(empty: Running) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=empty.url, timeout=60) as made:
        yield made


def fill(environment: dict[str, str]) -> Path:
    """Put the model into the cache, as a download would have."""
    where = Path(environment["HF_HUB_CACHE"]) / f"models--{NAME.replace('/', '--')}"
    (where / "refs").mkdir(parents=True)
    (where / "refs" / "main").write_text(REVISION)
    return Path(shutil.copytree(TINY, where / "snapshots" / REVISION))


async def listed(client: Client, name: str = "tiny") -> ModelInfo:
    return next(model for model in (await client.models()).models if model.name == name)


def reached(stage: str) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, ModelProgress) and event.stage == stage


async def test_a_model_is_pulled_loaded_used_unloaded_and_deleted(client: Client) -> None:
    before = await listed(client)
    assert (before.state, before.installed, before.size_bytes) == ("available", False, None)
    listening = await Listening.to(client)

    assert (await client.pull_model("tiny")).pulling
    events = await listening.until(reached("installed"))
    end = events[-1]
    assert isinstance(end, ModelProgress)
    assert (end.model, end.done, end.total) == (NAME, SIZE, SIZE)
    here = await listed(client)
    assert (here.state, here.installed, here.memory_bytes) == ("installed", True, None)
    assert here.size_bytes is not None
    assert SIZE <= here.size_bytes < SIZE + 1000
    assert not (await client.pull_model("tiny")).pulling

    loaded = await client.load_model("mlx_whisper", "tiny")
    assert (loaded.engine.state, loaded.engine.model) == ("ready", NAME)
    assert loaded.memory_bytes is not None
    assert loaded.memory_bytes > 1_000_000
    stages = [
        e.stage for e in await listening.until(reached("ready")) if isinstance(e, ModelProgress)
    ]
    assert stages == ["load", "warm-up", "ready"]
    there = await listed(client)
    assert (there.state, there.in_use) == ("loaded", 0)
    assert there.memory_bytes

    config = {"transcription": {"engine": "mlx_whisper", "model": "tiny", "language": "en"}}
    session = await client.open_session(custom_config=config)
    assert (await listed(client)).in_use == 1
    with pytest.raises(Refused, match="in use") as refused:
        await client.delete_model("tiny")
    assert refused.value.status_code == 409
    with pytest.raises(Refused, match="in use"):
        await client.unload_model("tiny")
    await client.close_session(session)

    assert (await client.unload_model("tiny")).unloaded
    await listening.until(reached("unloaded"))
    assert (await listed(client)).state == "installed"
    with pytest.raises(Refused) as refused:
        await client.unload_model("tiny")
    assert refused.value.status_code == 404

    await client.load_model("mlx_whisper", "tiny")
    gone = await client.delete_model(NAME)
    assert gone.freed_bytes == here.size_bytes
    assert (await listed(client)).state == "available"


async def test_a_model_that_is_not_here_is_downloaded_when_it_is_wanted(client: Client) -> None:
    listening = await Listening.to(client)
    config = {"transcription": {"engine": "mlx_whisper", "model": "tiny", "language": "en"}}
    sound = silence(0.5) + pcm(DEMO, 3) + silence(1.5)
    words = finals(await heard(client, sound, config))
    assert words
    assert {final.engine for final in words} == {"mlx_whisper"}
    stages = [
        e.stage for e in await listening.until(reached("ready")) if isinstance(e, ModelProgress)
    ]
    assert list(dict.fromkeys(stages)) == ["download", "installed", "load", "warm-up", "ready"]


async def test_a_cancelled_pull_is_gone_on_with_by_the_next(client: Client, hub: Hub) -> None:
    listening = await Listening.to(client)
    hub.gate.clear()
    await client.pull_model("tiny")
    assert await asyncio.to_thread(hub.half_way.wait, 10)
    await listening.until(lambda e: isinstance(e, ModelProgress) and e.done > 300)
    busy = await listed(client)
    assert busy.state == "downloading"
    assert busy.total == SIZE
    assert 300 < (busy.done or 0) < SIZE
    with pytest.raises(Refused) as refused:
        await client.delete_model("tiny")
    assert refused.value.status_code == 409
    assert (await client.pull_model("tiny")).pulling, "it joins the one that runs"
    # It ends when the line has been silent for READ_TIMEOUT: the hub's gate stays closed.
    assert (await client.cancel_pull("tiny")).cancelled
    hub.gate.set()
    await listening.until(reached("stopped"))
    half = await listed(client)
    assert (half.state, half.installed) == ("partial", False)
    with pytest.raises(Refused) as refused:
        await client.cancel_pull("tiny")
    assert refused.value.status_code == 409

    assert (await client.pull_model("tiny")).pulling
    await listening.until(reached("installed"))
    assert hub.ranges[0] == ""
    (again,) = hub.ranges[1:]
    assert 0 < int(again.removeprefix("bytes=").removesuffix("-")) < WEIGHTS
    assert (await listed(client)).state == "installed"


async def test_a_server_that_is_stopped_keeps_the_half(
    server: Running, hub: Hub, environment: dict[str, str]
) -> None:
    hub.gate.clear()
    async with Client(server.url) as client:
        await client.pull_model("tiny")
    assert await asyncio.to_thread(hub.half_way.wait, 10)
    await asyncio.to_thread(until_kept, Path(environment["HF_HUB_CACHE"]))
    assert await asyncio.to_thread(server.stop) == 0
    assert "Traceback" not in server.log
    hub.gate.set()
    halves = list(Path(environment["HF_HUB_CACHE"]).glob("models--*/blobs/*.incomplete"))
    assert len(halves) == 1
    assert 0 < halves[0].stat().st_size < WEIGHTS


async def test_a_pull_that_fails_half_way_is_told_to_everyone(client: Client, hub: Hub) -> None:
    listening = await Listening.to(client)
    hub.garbled = True
    await client.pull_model("tiny")
    events = await listening.until(lambda event: isinstance(event, Error))
    assert isinstance(events[-1], Error)
    assert events[-1].error == "Model not downloaded"
    assert "damaged" in events[-1].details
    assert any(reached("stopped")(event) for event in events)
    assert (await listed(client)).state == "available"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("POST", "/pull", {"model": "large-v3-trubo"}, 404, ["mean large-v3-turbo?"]),
        ("POST", "/pull", {"model": "somebody/no-such-model"}, 404, ["no public model"]),
        ("POST", "/pull", {"model": "/etc"}, 400, ["folder"]),
        ("POST", "/pull", {"model": ""}, 400, ["model"]),
        ("POST", "/pull", {}, 400, ["model"]),
        ("POST", "/cancel", {"model": "tiny"}, 409, ["not being downloaded"]),
        ("POST", "/load", {"engine": "mlx_whisper", "model": "/no/such"}, 503, ["no folder"]),
        ("POST", "/load", {"engine": "mlx_whisper", "model": "bsae"}, 503, ["mean base?"]),
        ("POST", "/load", {"engine": "loud"}, 400, ["engine"]),
        ("POST", "/unload", {"model": "tiny"}, 404, ["tiny"]),
        ("DELETE", "/tiny", None, 404, ["tiny"]),
        ("DELETE", "/somebody/whisper", None, 404, ["somebody/whisper"]),
        ("DELETE", f"/{str(TINY).replace('/', '%2F')}", None, 400, ["folder of your own"]),
        ("DELETE", f"/{TINY}", None, 400, ["folder of your own"]),
        ("DELETE", "/..%2f..%2fetc", None, 400, ["folder of your own"]),
        ("DELETE", "/" + "x" * 400, None, 404, ["no model"]),
    ],
)
async def test_what_cannot_be_done_is_refused_with_the_reason(
    http: httpx.AsyncClient, method: str, path: str, body: Any, status: int, words: list[str]
) -> None:
    is_fault(await http.request(method, MODELS + path, json=body), status, *words)


async def test_a_hub_out_of_reach_is_told_at_once(environment: dict[str, str]) -> None:
    with running(environment={**environment, "HF_ENDPOINT": "http://127.0.0.1:9"}) as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
            refused = await http.post(f"{MODELS}/pull", json={"model": "tiny"})
            is_fault(refused, 503, "can't be reached")


async def test_a_filled_cache_works_offline(environment: dict[str, str], hub: Hub) -> None:
    fill(environment)
    with running(environment={**environment, "HF_HUB_OFFLINE": "1"}) as server:
        async with Client(server.url) as client:
            config = {"transcription": {"engine": "mlx_whisper", "model": "tiny"}}
            assert finals(await heard(client, pcm(DEMO, 3) + silence(1.5), config))
            assert not (await client.pull_model("tiny")).pulling
            with pytest.raises(Refused, match="HF_HUB_OFFLINE"):
                await client.pull_model("base")
    assert hub.asked == []


async def test_a_model_that_was_cut_off_is_refused_and_mended(
    client: Client, environment: dict[str, str]
) -> None:
    weights = fill(environment) / "weights.npz"
    weights.write_bytes(weights.read_bytes()[:1_000_000])
    assert (await listed(client)).state == "partial"
    with pytest.raises(Refused, match="damaged") as refused:
        await client.load_model("mlx_whisper", "tiny")
    assert "stt-server models pull tiny" in str(refused.value)
    shutil.rmtree(weights.parents[2])
    listening = await Listening.to(client)
    await client.pull_model("tiny")
    await listening.until(reached("installed"))
    assert (await client.load_model("mlx_whisper", "tiny")).loaded


async def test_a_model_that_nobody_uses_is_unloaded_and_loaded_again(
    environment: dict[str, str],
) -> None:
    fill(environment)
    wanted = {"transcription": {"engine": "mlx_whisper", "model": "tiny", "language": "en"}}
    with running("--model-idle-seconds", "0.5", environment=environment) as server:
        async with Client(server.url) as client:
            listening = await Listening.to(client)
            session = await client.open_session(custom_config=wanted)
            await listening.until(reached("ready"))
            await client.close_session(session)
            events = await listening.until(lambda event: isinstance(event, SystemStatus))
            assert any(reached("unloaded")(event) for event in events)
            assert (await listed(client)).state == "installed"
            assert finals(await heard(client, pcm(DEMO, 3) + silence(1.5), wanted))
            await Listening.end_all()
