"""A session changed while it listens, through a real server."""

import pytest

from common.client import Client, Refused
from common.events import Level, SpeechDetected, Transcription
from tests.ends.speech import DEMO, WHISPER, Listening, finals, talking

PLAYING = {**WHISPER, "audio": {"source": f"file:{DEMO}"}}


async def test_a_threshold_is_turned_while_somebody_speaks(client: Client) -> None:
    listening = await Listening.to(client)
    started = await client.start(custom_config=PLAYING)
    await listening.until(talking(1))
    shut = {"vad": {"detector_type": "silero", "parameters": {"silero_threshold": 0.99}}}
    tuned = await client.tune_session(started.session_id, shut)
    assert tuned.config["vad"]["parameters"]["silero_threshold"] == 0.99
    assert tuned.profile == "vad-triggered"
    # Levels go on, by Silero alone: WebRTC is no longer asked.
    await listening.until(lambda event: isinstance(event, Level) and event.webrtc is None)
    open_again = {"vad": {"detector_type": "combined", "parameters": {"silero_threshold": None}}}
    await client.tune_session(started.session_id, open_again)
    events = await listening.until(
        lambda event: isinstance(event, Level) and event.webrtc is not None
    )
    await listening.until(talking(1))
    assert not any(event.event == "session_stopped" for event in events)
    assert (await client.sessions())[0].session_id == started.session_id


async def test_another_engine_reads_from_the_next_utterance(client: Client) -> None:
    listening = await Listening.to(client)
    started = await client.start(custom_config=PLAYING)
    await listening.until(lambda event: bool(finals([event])))
    await client.tune_session(
        started.session_id, {"transcription": {"engine": "pocketsphinx", "model": None}}
    )
    await listening.until(
        lambda event: isinstance(event, Transcription) and event.engine == "pocketsphinx"
    )
    assert (await client.status()).engine.name == "pocketsphinx"


async def test_a_session_that_a_client_feeds_is_tuned_too(client: Client) -> None:
    async with client.audio(custom_config=WHISPER) as upload:
        assert upload.session_id
        tuned = await client.tune_session(upload.session_id, {"vad": {"enabled": False}})
        assert tuned.config["vad"]["enabled"] is False
        await upload.send(bytes(2 * 16000))
        await upload.stop()
        events = [event async for event in upload]
    assert not any(isinstance(event, SpeechDetected) for event in events)


async def test_another_source_is_refused_with_the_cure(client: Client) -> None:
    started = await client.start(custom_config=PLAYING)
    with pytest.raises(Refused) as refused:
        await client.tune_session(started.session_id, {"audio": {"device": 3}})
    assert refused.value.status_code == 409
    assert "restart" in refused.value.details
    with pytest.raises(Refused) as refused:
        await client.tune_session("nobody", {})
    assert refused.value.status_code == 404
