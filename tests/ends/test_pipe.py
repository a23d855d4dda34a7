"""Real speech in, live text out: a real server process, the real client, real engines."""

import asyncio
import json

from common.client import Client
from common.events import (
    Event,
    Level,
    ModelProgress,
    SessionStarted,
    SessionStopped,
    SpeechDetected,
    SpeechEnded,
    SystemStatus,
    Transcription,
)
from tests.ends.speech import (
    DEMO,
    SENTENCES,
    SPHINX,
    WHISPER,
    Listening,
    finals,
    first,
    heard,
    needs_speech,
    partials,
    pcm,
    send,
    silence,
    talking,
)
from tests.running import SPEECH, Running


async def test_whisper_reads_partials_then_finals_with_the_right_words(client: Client) -> None:
    config = {"transcription": {**WHISPER["transcription"], "words": True}}
    sound = pcm(DEMO, 5.4)[int(2.3 * 16000) * 2 :]
    events: list[Event] = []
    async with client.audio(custom_config=config) as upload:
        await send(upload, sound[: 2 * 28000])
        async for event in upload:
            events.append(event)
            if partials(events):
                break
        await send(upload, sound[2 * 28000 :])
        await upload.stop()
        events += [event async for event in upload]
    assert [final.text for final in finals(events)] == [SENTENCES[1]]
    assert partials(events)
    for final in finals(events):
        assert final.engine == "mlx_whisper"
        assert final.language == "en"
        assert final.confidence is not None
        assert 0 < final.confidence <= 1
        assert final.stable == len(final.text)
        assert final.latency is not None
        assert final.words is not None
        assert [word.text.strip() for word in final.words] == final.text.split()
        assert all(final.start - 0.6 < word.start <= word.end for word in final.words)


async def test_a_session_tells_its_story_in_order(client: Client) -> None:
    config = {**WHISPER, "vad": {"min_silence_duration": 0.3}}
    events = await heard(client, pcm(DEMO, 2.4), config)
    story = [e for e in events if not isinstance(e, Level) and e not in partials(events)]
    kinds = [type(e) for e in story if not isinstance(e, ModelProgress)]
    assert kinds == [SessionStarted, SpeechDetected, SpeechEnded, Transcription, SessionStopped]
    assert len({event.session_id for event in events}) == 1
    numbers = [event.seq for event in story if event.seq is not None]
    assert numbers == sorted(set(numbers))
    levels = [event for event in events if isinstance(event, Level)]
    assert any(level.speaking for level in levels)
    assert all(-100 <= level.rms_dbfs <= level.peak_dbfs <= 0 for level in levels)
    assert all(-100 <= (level.noise_floor_dbfs or 0) < -20 for level in levels)
    assert {level.threshold for level in levels} == {0.35}


async def test_speech_that_is_cut_off_is_read_to_where_it_got(client: Client) -> None:
    events = await heard(client, pcm(DEMO, 1.25), WHISPER)
    assert finals(events)[0].text.startswith("hello")


async def test_flush_gives_a_final_without_waiting_for_silence(client: Client) -> None:
    async with client.audio(custom_config=WHISPER) as upload:
        await send(upload, pcm(DEMO, 1.5))
        await upload.flush()
        async with asyncio.timeout(60):
            async for event in upload:
                if isinstance(event, Transcription) and event.is_final:
                    break
        assert event.text == "hello world"
        await upload.stop()
        assert [event async for event in upload][-1].event == "session_stopped"


async def test_silence_says_nothing(client: Client) -> None:
    assert finals(await heard(client, silence(5), SPHINX)) == []


async def test_bytes_may_come_in_any_lengths(client: Client) -> None:
    sound = pcm(DEMO, 2.4)
    async with client.audio(custom_config=WHISPER) as upload:
        await send(upload, sound, 7777)
        await upload.stop()
        assert [f.text for f in finals([e async for e in upload])] == ["hello world"]


async def test_the_server_plays_a_file_to_all_who_listen(client: Client) -> None:
    one = await Listening.to(client)
    other = await Listening.to(client, only=["transcription", "session_stopped"], levels=False)
    started = await client.start(
        custom_config={**WHISPER, "audio": {"source": f"file:{DEMO}"}, "vad": {"pre_speech": 0.3}}
    )
    assert started.started
    assert started.active_features == ["vad", "transcription"]

    status = await client.status()
    assert status.running
    assert status.engine.name == "mlx_whisper"
    assert status.engine.state == "ready"
    assert status.sessions[0].session_id == started.session_id

    def second_final(event: Event) -> bool:
        return isinstance(event, Transcription) and event.is_final and "jarvis" in event.text

    events = await one.until(second_final)
    assert {"session_started", "system_status", "level", "transcription"} <= {
        event.event for event in events
    }
    await client.stop()
    events += await one.until(lambda event: isinstance(event, SystemStatus) and not event.running)
    narrow = await other.until(lambda event: isinstance(event, SessionStopped))
    assert {event.event for event in narrow} == {"transcription", "session_stopped"}
    assert [f.text for f in finals(narrow)] == [f.text for f in finals(events)]
    assert not (await client.status()).running


async def test_stop_finishes_speech_in_progress_first(client: Client) -> None:
    listening = await Listening.to(client)
    await client.start(custom_config={**WHISPER, "audio": {"source": f"file:{DEMO}"}})
    await listening.until(talking(10))
    stopped = await client.stop()
    assert stopped.sessions == 1
    events = await listening.until(lambda event: isinstance(event, SessionStopped))
    assert finals(events), "what was said before the stop was lost"


async def test_a_client_that_breaks_off_in_mid_word_loses_nothing(client: Client) -> None:
    listening = await Listening.to(client)
    async with client.audio(custom_config=WHISPER) as upload:
        await send(upload, pcm(DEMO, 1.4))
        # What is still on its way goes with the connection: the server shall have heard it.
        before = await listening.until(talking(8))
        # Gone without a word, as when the network fails.
        upload._socket.transport.abort()
    events = before + await listening.until(lambda event: isinstance(event, SessionStopped))
    last = events[-1]
    assert isinstance(last, SessionStopped)
    assert last.reason == "disconnected"
    assert finals(events)[0].text.startswith("hello")


async def test_who_comes_late_is_told_the_last_finals(client: Client) -> None:
    events = await heard(client, pcm(DEMO, 2.4), WHISPER)
    welcome = await first(client.events())
    recent = json.loads(welcome.model_dump_json())["recent"]
    assert recent[-1]["text"] == finals(events)[-1].text


async def test_a_recording_gives_segments_with_times(client: Client) -> None:
    transcript = await client.transcribe(DEMO)
    assert transcript.duration == 43.478
    assert len(transcript.segments) >= 10
    starts = [segment.start for segment in transcript.segments]
    assert starts == sorted(starts)
    assert transcript.text == " ".join(segment.text for segment in transcript.segments)


@needs_speech
async def test_the_embedded_engine_understands_a_person(client: Client) -> None:
    sound = silence(0.5) + pcm(SPEECH / "en-goforward.flac") + silence(1)
    events = await heard(client, sound, SPHINX)
    assert [final.text for final in finals(events)] == ["go forward ten meters"]
    assert (await client.transcribe(SPEECH / "en-goforward.flac")).text == "go forward ten meters"


def test_no_torch_is_in_the_server(server: Running) -> None:
    maps = f"/proc/{server.process.pid}/maps"
    try:
        with open(maps) as file:
            assert "libtorch" not in file.read()
    except FileNotFoundError:
        return
