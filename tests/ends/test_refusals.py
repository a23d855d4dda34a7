"""Bad input: a clear error that says how to mend it, and a server that lives on."""

import asyncio
import base64
import json
import os
import random
import struct
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from common.client import Client, Refused, Unauthorized
from common.events import Error, SessionStopped, parse
from tests.ends.speech import DEMO, WHISPER, Listening, finals, first, heard, pcm
from tests.running import ROOT, SOUNDS, Running, running

START = "/api/v1/system/start"
TRANSCRIBE = "/api/v1/transcription/transcribe"


@pytest.fixture
async def http(server: Running) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        yield client
        assert (await client.get("/health")).status_code == 200


def is_fault(response: httpx.Response, status: int, *words: str) -> None:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    fault = response.json()
    assert set(fault) == {"error", "details", "status_code", "timestamp"}
    assert fault["status_code"] == status
    assert fault["timestamp"].endswith("Z")
    for word in words:
        assert word in fault["error"] + ": " + fault["details"]
    assert "Traceback" not in response.text


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ('{"profile":', 400, ["JSON"]),
        ("[]", 400, []),
        ('{"profil":"x"}', 400, ["profil", "not permitted"]),
        ('{"profile":""}', 404, ["no profile ''"]),
        ('{"profile":"../../etc/passwd"}', 404, ["no profile", "vad-triggered"]),
        ('{"profile":"nothing"}', 404, ["no profile 'nothing'", "wake-word"]),
        ('{"custom_config":{"vad":{"sensitivity":2}}}', 400, ["vad.sensitivity", "got 2"]),
        ('{"custom_config":{"vad":{"sensitivity":1e999}}}', 400, ["vad.sensitivity"]),
        ('{"custom_config":{"vad":{"sensitivity":NaN}}}', 400, []),
        ('{"custom_config":{"transcription":{"engine":"x"}}}', 400, ["engine", "pocketsphinx"]),
        (
            '{"custom_config":{"audio":{"source":"file:tests/sounds/demo.flac"},'
            '"wake_word":{"enabled":true,"detector":"pocketsphinx","words":["schnurzel"]}}}',
            503,
            ["schnurzel", "transcript"],
        ),
    ],
)
async def test_a_bad_start_is_refused_with_the_cure(
    http: httpx.AsyncClient, body: str, status: int, words: list[str]
) -> None:
    is_fault(await http.post(START, content=body), status, *words)
    assert not (await http.get("/api/v1/system/status")).json()["running"]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"audio": {"source": "file:/nowhere.wav"}}, ["/nowhere.wav"]),
        ({"audio": {"source": f"file:{__file__}"}}, [Path(__file__).name]),
        ({"audio": {"device": "no such microphone"}}, []),
        (
            {
                "audio": {"source": f"file:{DEMO}"},
                "transcription": {"engine": "mlx_whisper", "model": "/no/such/folder"},
            },
            ["/no/such/folder"],
        ),
        (
            {"audio": {"source": f"file:{DEMO}"}, "transcription": {"engine": "openai"}},
            ["openai"],
        ),
    ],
)
async def test_what_is_missing_is_503_and_nothing_runs(
    http: httpx.AsyncClient, config: dict[str, Any], words: list[str]
) -> None:
    response = await http.post(START, json={"custom_config": config})
    is_fault(response, 503, *words)
    assert len(response.json()["details"]) > 30
    status = (await http.get("/api/v1/system/status")).json()
    assert not status["running"]
    assert status["sessions"] == []


async def test_starting_twice_and_stopping_twice_are_conflicts(
    http: httpx.AsyncClient, client: Client
) -> None:
    is_fault(await http.post("/api/v1/system/stop"), 409, "nothing is running")
    config = {**WHISPER, "audio": {"source": f"file:{DEMO}"}}
    first = await client.start(custom_config=config)
    is_fault(await http.post(START, json={"custom_config": config}), 409, "restart")
    second = await client.start(custom_config=config, restart=True)
    assert first.session_id != second.session_id
    assert [s.session_id for s in await client.sessions()] == [second.session_id]


@pytest.mark.parametrize(
    ("path", "status"), [("/api/v1/nothing", 404), ("/api/v1/system/stop", 409)]
)
async def test_a_connection_lives_on_after_a_body_that_nobody_read(
    server: Running, path: str, status: int
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Length: 2\r\n\r\n"
    for _ in range(3):
        writer.write(head.encode())
        await asyncio.sleep(0.2)
        writer.write(b"{}")
        async with asyncio.timeout(10):
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 %d" % status)
            length = next(
                line for line in answer.lower().split(b"\r\n") if b"content-length" in line
            )
            await reader.readexactly(int(length.split(b":")[1]))
    writer.close()
    await writer.wait_closed()


async def test_unknown_paths_and_methods_answer_in_the_same_form(http: httpx.AsyncClient) -> None:
    is_fault(await http.get("/api/v1/nothing"), 404, "/docs")
    is_fault(await http.get("/api/v1/audio"), 400, "WebSocket")
    wrong = await http.delete("/health")
    is_fault(wrong, 405, "GET")
    assert "GET" in wrong.headers["allow"]
    is_fault(await http.get("/api/v1/system/profiles/nothing"), 404, "vad-triggered")
    is_fault(await http.delete("/api/v1/transcription/sessions/none"), 404, "none")


def as_json(**fields: Any) -> dict[str, Any]:
    return {"json": fields}


@pytest.mark.parametrize(
    ("how", "status", "words"),
    [
        (as_json(audio_data="!!!"), 400, ["base64"]),
        (as_json(audio_data=""), 400, ["no audio"]),
        (as_json(audio_data="AAAA"), 415, ["WAV", "pcm_s16le"]),
        (as_json(audio_data="AAAA", format="aac"), 415, ["aac"]),
        (as_json(audio_data="AAAA", format="pcm_s16le"), 400, ["half"]),
        (as_json(audio_data="AAA=", loud=True), 400, ["loud"]),
        (as_json(audio_data="AAA=", session_id="none"), 404, ["none"]),
        ({"content": b"RIFF\x00\x00\x00\x00WAVEjunk"}, 415, ["FLAC"]),
        ({"content": b""}, 400, ["no audio"]),
        ({"content": b"x" * 99, "params": {"language": "klingon"}}, 400, ["language"]),
        ({"files": {"sound": b"abc"}}, 400, ["'file'"]),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400, ["JSON"]),
    ],
)
async def test_audio_that_cannot_be_is_refused(
    http: httpx.AsyncClient, how: dict[str, Any], status: int, words: list[str]
) -> None:
    is_fault(await http.post(TRANSCRIBE, **how), status, *words)


async def test_what_is_over_the_limits_is_413() -> None:
    with running("--max-body-mb", "1", "--max-audio-seconds", "2") as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
            for body in (b"x" * (5 << 20), _endless()):
                too_big = await http.post(TRANSCRIBE, content=body)
                is_fault(too_big, 413, "STT_SERVER_MAX_BODY_MB")
            form = await http.post(TRANSCRIBE, files={"file": b"x" * (2 << 20)})
            is_fault(form, 413, "STT_SERVER_MAX_BODY_MB")
            json = {"audio_data": "A" * (2 << 20)}
            is_fault(await http.post(TRANSCRIBE, json=json), 413, "STT_SERVER_MAX_BODY_MB")
            too_long = await http.post(TRANSCRIBE, content=DEMO.read_bytes())
            is_fault(too_long, 413, "STT_SERVER_MAX_AUDIO_SECONDS")


async def _endless() -> AsyncIterator[bytes]:
    for _ in range(40):
        yield b"x" * 65536


async def test_the_same_words_by_every_way_of_sending(http: httpx.AsyncClient) -> None:
    sound = pcm(DEMO, 2.4)
    wav = b"RIFF" + struct.pack("<I", 36 + len(sound)) + b"WAVEfmt "
    wav += struct.pack("<IHHIIHH", 16, 1, 1, 16000, 32000, 2, 16)
    wav += b"data" + struct.pack("<I", len(sound)) + sound
    encoded = base64.b64encode(wav).decode()
    bare = base64.b64encode(sound).decode()
    ways: list[dict[str, Any]] = [
        as_json(audio_data=encoded),
        as_json(audio_data=bare, format="pcm_s16le", language="en", words=True),
        {"content": wav, "headers": {"Content-Type": "audio/wav"}},
        {"content": sound, "headers": {"Content-Type": "audio/L16"}},
        {"files": {"file": ("a.wav", wav)}, "data": {"words": "true"}},
    ]
    texts = set()
    for way in ways:
        response = await http.post(TRANSCRIBE, **way)
        assert response.status_code == 200, response.text
        transcript = response.json()
        texts.add(transcript["text"])
        assert transcript["duration"] == 2.4
        assert transcript["engine"]
        asked = way.get("json", way.get("data", {})).get("words")
        assert bool(transcript["segments"][0]["words"]) == bool(asked)
    assert len(texts) == 1
    assert texts != {""}


async def test_a_session_can_be_fed_by_requests(http: httpx.AsyncClient) -> None:
    opened = await http.post(
        "/api/v1/transcription/sessions", json={"session_id": "mine", "custom_config": WHISPER}
    )
    assert opened.json()["data"] == {"session_id": "mine"}
    taken = await http.post("/api/v1/transcription/sessions", json={"session_id": "mine"})
    is_fault(taken, 409, "mine")
    sound = pcm(DEMO, 2.4)
    for start in range(0, len(sound), 16001):
        chunk = base64.b64encode(sound[start : start + 16001]).decode()
        response = await http.post(TRANSCRIBE, **as_json(audio_data=chunk, session_id="mine"))
        assert response.status_code == 200, response.text
    closed = await http.delete("/api/v1/transcription/sessions/mine")
    assert closed.json()["data"] == {"stopped": True, "text": "hello world"}


@pytest.mark.parametrize(
    ("more", "status", "word"),
    [
        ({"audio_data": base64.b64encode(DEMO.read_bytes()[:99]).decode()}, 415, "samples alone"),
        ({"audio_data": base64.b64encode(b"RIFF\0\0\0\0WAVE").decode()}, 415, "samples alone"),
        ({"audio_data": "AAAA", "format": "wav"}, 415, "headerless"),
        ({"audio_data": "AAA=", "language": "de", "words": True}, 400, "language, words"),
    ],
)
async def test_a_chunk_that_would_be_noise_or_ignored_is_refused(
    http: httpx.AsyncClient, more: dict[str, Any], status: int, word: str
) -> None:
    sphinx = {"transcription": {"engine": "pocketsphinx"}}
    session = {"session_id": "chunked", "custom_config": sphinx}
    await http.post("/api/v1/transcription/sessions", json=session)
    is_fault(await http.post(TRANSCRIBE, json={"session_id": "chunked", **more}), status, word)
    closed = await http.delete("/api/v1/transcription/sessions/chunked")
    assert closed.json()["data"] == {"stopped": True, "text": ""}


async def test_too_many_sessions_are_429(client: Client) -> None:
    with running("--max-sessions", "1") as server:
        async with Client(server.url) as other:
            sphinx = {"transcription": {"engine": "pocketsphinx"}}
            session = await other.open_session(custom_config=sphinx)
            with pytest.raises(Refused, match="STT_SERVER_MAX_SESSIONS") as caught:
                await other.open_session(custom_config=sphinx)
            assert caught.value.status_code == 429
            await other.close_session(session)
            await other.open_session(custom_config=sphinx)


async def raw(server: Running, path: str) -> ClientConnection:
    return await connect(f"ws://127.0.0.1:{server.port}{path}", compression=None, proxy=None)


@pytest.mark.parametrize(
    ("hello", "code", "words"),
    [
        ("garbage", 1007, "JSON"),
        (b"\x00\x01", 1007, "first frame is text"),
        ('{"sample_rate":1}', 1007, "sample_rate"),
        ('{"encoding":"mp3"}', 1007, "encoding"),
        ('{"colour":"red"}', 1007, "colour"),
        ('{"profile":"nothing"}', 1008, "no profile"),
        ('{"custom_config":{"vad":{"sensitivity":9}}}', 1007, "vad.sensitivity"),
    ],
)
async def test_a_bad_first_frame_is_explained_and_closed(
    server: Running, hello: str | bytes, code: int, words: str
) -> None:
    socket = await raw(server, "/api/v1/audio")
    await socket.send(hello)
    event = parse(await socket.recv())
    assert isinstance(event, Error)
    assert words in event.details
    with pytest.raises(ConnectionClosed) as caught:
        await socket.recv()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == code


async def test_nonsense_between_the_sound_is_told_and_the_session_lives_on(
    client: Client,
) -> None:
    async with client.audio(custom_config=WHISPER) as upload:
        await upload._socket.send("garbage")
        await upload._socket.send('{"command":"dance"}')
        await upload.send(pcm(DEMO, 2.4) + b"\x01")
        await upload.stop()
        events = [event async for event in upload]
    errors = [event.details for event in events if isinstance(event, Error)]
    assert "JSON" in errors[0]
    assert "flush" in errors[1]
    assert "within a sample" in errors[2]
    assert [final.text for final in finals(events)] == ["hello world"]


async def test_nonsense_on_the_event_stream_is_told_and_the_socket_stays_open(
    server: Running,
) -> None:
    async with await raw(server, "/api/v1/ws") as socket:
        assert parse(await socket.recv()).event == "welcome"
        for nonsense in ("garbage", b"\x00", '{"command":"dance"}', '{"command":3}', "[" * 9999):
            await socket.send(nonsense)
            assert parse(await socket.recv()).event == "error"
        await socket.send('{"command":"subscribe","events":["nothing"]}')
        assert "unknown events: nothing" in str(await socket.recv())
        await socket.send('{"command":"ping"}')
        assert json.loads(await socket.recv())["event"] == "pong"


@pytest.mark.parametrize("query", ["since=x", "since=-1", "since=1.5", "events=weather"])
async def test_a_bad_wish_is_refused_in_the_handshake(server: Running, query: str) -> None:
    with pytest.raises(InvalidStatus) as caught:
        await raw(server, f"/api/v1/ws?{query}")
    assert caught.value.response.status_code == 400
    assert json.loads(caught.value.response.body)["status_code"] == 400


async def test_random_frames_and_broken_connections_leave_the_server_alive(
    server: Running, client: Client
) -> None:
    rng = random.Random(7)
    for path in ("/api/v1/ws", "/api/v1/audio"):
        for _ in range(20):
            socket = await raw(server, path)
            try:
                for _ in range(rng.randrange(5)):
                    await socket.send(rng.randbytes(rng.randrange(3000)))
            except ConnectionClosed:
                continue
            socket.transport.abort()
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /api/v1/ws HTTP/1.1\r\nUpgrade: webso")
    await writer.drain()
    writer.close()
    assert (await client.health()).status == "healthy"
    assert [f.text for f in finals(await heard(client, pcm(DEMO, 2.4), WHISPER))] == ["hello world"]


async def test_a_server_with_a_token_lets_nobody_else_in() -> None:
    secret = {"STT_SERVER_AUTH_ENABLED": "true", "STT_SERVER_AUTH_TOKEN": "s3cret-token"}
    with running(environment=secret) as server:
        for token in (None, "wrong"):
            async with Client(server.url, token) as stranger:
                assert (await stranger.health()).status == "healthy"
                with pytest.raises(Unauthorized, match="Authorization: Bearer"):
                    await stranger.status()
                with pytest.raises(Unauthorized):
                    await first(stranger.events())
                with pytest.raises(Unauthorized):
                    async with stranger.audio():
                        pass
        async with Client(server.url, "s3cret-token") as friend:
            assert (await friend.status()).status == "online"
            await Listening.to(friend)
            offered = base64.urlsafe_b64encode(b"s3cret-token").decode().rstrip("=")
            async with connect(
                f"ws://127.0.0.1:{server.port}/api/v1/ws",
                subprotocols=["stt.v1", f"bearer.{offered}"],  # type: ignore[list-item]
                proxy=None,
            ) as browser:
                assert browser.subprotocol == "stt.v1"
        server.stop()
        assert "s3cret" not in server.log


async def test_a_page_of_another_origin_can_neither_listen_nor_start(server: Running) -> None:
    for path in ("/api/v1/ws", "/api/v1/audio"):
        with pytest.raises(InvalidStatus) as caught:
            await connect(
                f"ws://127.0.0.1:{server.port}{path}", origin="http://evil.example", proxy=None
            )
        assert caught.value.response.status_code == 403
    async with httpx.AsyncClient(base_url=server.url) as http:
        origin = {"Origin": "http://evil.example"}
        is_fault(await http.post(START, headers=origin), 403, "STT_SERVER_CORS_ORIGINS")


async def test_a_file_that_breaks_off_is_heard_as_far_as_it_goes(
    client: Client, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.flac"
    broken.write_bytes(DEMO.read_bytes()[:60_000])
    listening = await Listening.to(client)
    await client.start(custom_config={**WHISPER, "audio": {"source": f"file:{broken}"}})
    events = await listening.until(lambda event: isinstance(event, SessionStopped))
    assert finals(events)[0].text == "hello world"
    assert any(isinstance(event, Error) and "broken.flac" in event.details for event in events)
    last = events[-1]
    assert isinstance(last, SessionStopped)
    assert last.reason == "failed"


def stt_server(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "backend", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_bad_setting_stops_the_start_with_exit_code_2() -> None:
    result = stt_server("serve", STT_SERVER_PORT="eighty")
    assert result.returncode == 2
    assert "STT_SERVER_PORT" in result.stderr
    assert "eighty" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_open_door_is_refused_with_exit_code_2() -> None:
    result = stt_server("--host", "0.0.0.0")
    assert result.returncode == 2
    assert "--insecure" in result.stderr


def test_a_taken_port_is_exit_code_1(server: Running) -> None:
    result = stt_server("serve", "--port", str(server.port))
    assert result.returncode == 1
    assert "another port" in result.stderr
    assert "Traceback" not in result.stderr


def test_transcribe_prints_words_and_refuses_plainly() -> None:
    clip = str(SOUNDS / "one-two-three.flac")
    good = stt_server("transcribe", clip, "--engine", "pocketsphinx")
    assert good.returncode == 0, good.stderr
    assert good.stdout.split()
    assert "pocketsphinx" in good.stderr
    for bad in ("/nowhere.wav", __file__):
        result = stt_server("transcribe", bad)
        assert result.returncode == 1
        assert Path(bad).name in result.stderr or "WAV" in result.stderr
        assert "Traceback" not in result.stderr
