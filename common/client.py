"""The Python client: REST calls here, the event stream and audio upload in `common.stream`.

    async with Client("http://studio.local:8000", token="…") as server:
        await server.start("vad-triggered")
        async for event in server.events():
            if isinstance(event, Transcription) and event.is_final:
                print(event.text)

Every method raises what `common.problems` lists and nothing else for a server that is
away, refuses or misbehaves.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from common.api import (
    AudioHello,
    Configured,
    ConfigureRequest,
    Device,
    Devices,
    DoctorReport,
    Health,
    NamedProfile,
    ProfileDeleted,
    Profiles,
    ProfileSaved,
    SessionClosed,
    SessionInfo,
    SessionOpened,
    SessionRequest,
    Sessions,
    SessionTuned,
    Started,
    StartRequest,
    Status,
    Stopped,
    Success,
    Transcript,
    TranscriptionStatus,
    TuneRequest,
)
from common.link import Link
from common.models import (
    Engines,
    LoadRequest,
    ModelDeleted,
    ModelLoaded,
    ModelPulling,
    ModelRequest,
    Models,
    ModelUnloaded,
    PullCancelled,
)
from common.past import History
from common.problems import Broken, ClientError, Closed, Refused, Unauthorized, Unreachable
from common.profile import Profile
from common.rest import Rest, shaped
from common.sinks import SinkList, SinkStatus
from common.stream import AudioUpload, EventStream

TYPES = {
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".mp3": "audio/mpeg",
}
"""Content types of the files that `Client.transcribe` is given by path."""


MODELS = "/api/v1/system/models"


class Client(Rest):
    """A connection to a server, or to one of a cluster's. Use it as an async context manager."""

    async def health(self) -> Health:
        """Ask whether the server is alive; needs no token."""
        return await self._get("/health", Health)

    async def status(self) -> Status:
        """Return the server's state: what runs, which engine and why, who is connected."""
        return await self._get("/api/v1/system/status", Status)

    async def start(
        self,
        profile: str | None = None,
        custom_config: Mapping[str, Any] | None = None,
        *,
        restart: bool = False,
    ) -> Started:
        """Start the server's own listening.

        Args:
            profile: a profile's name; None takes the server's default.
            custom_config: laid deeply over the profile.
            restart: replace a session that runs already, which is 409 otherwise.

        """
        body = StartRequest(
            profile=profile, custom_config=dict(custom_config or {}), restart=restart
        )
        return (await self._post("/api/v1/system/start", body, Success[Started])).data

    async def stop(self) -> Stopped:
        """Stop all transcription; speech in progress is finished and delivered first."""
        return (await self._post("/api/v1/system/stop", None, Success[Stopped])).data

    async def profiles(self) -> Profiles:
        """Return the names of all profiles, and which is the default."""
        return await self._get("/api/v1/system/profiles", Profiles)

    async def profile(self, name: str) -> NamedProfile:
        """Return one profile with its settings."""
        return await self._get(f"/api/v1/system/profiles/{quote(name, safe='')}", NamedProfile)

    async def save_profile(self, name: str, profile: Profile) -> None:
        """Save a profile, in the place of an older one of its name; a built-in's is refused."""
        path = f"/api/v1/system/profiles/{quote(name, safe='')}"
        await self._send("PUT", path, profile, Success[ProfileSaved])

    async def delete_profile(self, name: str) -> None:
        """Delete a saved profile."""
        path = f"/api/v1/system/profiles/{quote(name, safe='')}"
        await self._send("DELETE", path, None, Success[ProfileDeleted])

    async def devices(self) -> list[Device]:
        """Return the input devices of the server's machine."""
        return (await self._get("/api/v1/system/devices", Devices)).devices

    async def engines(self) -> Engines:
        """Return the engines, and what keeps one from working with its cure."""
        response = await self._ask("GET", "/api/v1/system/engines", timeout=self._patient)
        return shaped(response, Engines)

    async def configure(self, wish: ConfigureRequest) -> Configured:
        """Change what every session starts with; one that runs changes at its next utterance."""
        return (await self._post("/api/v1/transcription/configure", wish, Success[Configured])).data

    async def doctor(self) -> DoctorReport:
        """Have the server look at its own machine, which takes it some seconds."""
        response = await self._ask("GET", "/api/v1/system/doctor", timeout=self._patient)
        return shaped(response, DoctorReport)

    async def models(self) -> Models:
        """Return the models: those on the server's machine and those that can be had."""
        return await self._get(MODELS, Models)

    async def pull_model(self, model: str) -> ModelPulling:
        """Begin to download a model; how far it is, `ModelProgress` events tell."""
        wish = ModelRequest(model=model)
        return (await self._post(f"{MODELS}/pull", wish, Success[ModelPulling])).data

    async def cancel_pull(self, model: str) -> PullCancelled:
        """Stop a download. What came of it stays for the next one."""
        wish = ModelRequest(model=model)
        return (await self._post(f"{MODELS}/cancel", wish, Success[PullCancelled])).data

    async def delete_model(self, model: str) -> ModelDeleted:
        """Delete a downloaded model, or half of one, from the server's disk."""
        path = f"{MODELS}/{quote(model, safe='')}"
        response = await self._ask("DELETE", path, timeout=self._patient)
        return shaped(response, Success[ModelDeleted]).data

    async def load_model(self, engine: str = "auto", model: str | None = None) -> ModelLoaded:
        """Have an engine load a model now and wait until it is ready.

        Raises `pydantic.ValidationError`, a `ValueError`, for an engine that there is not.
        """
        wish = LoadRequest.model_validate({"engine": engine, "model": model})
        return (await self._post(f"{MODELS}/load", wish, Success[ModelLoaded])).data

    async def unload_model(self, model: str) -> ModelUnloaded:
        """Have a model that nobody uses give its memory back."""
        wish = ModelRequest(model=model)
        return (await self._post(f"{MODELS}/unload", wish, Success[ModelUnloaded])).data

    async def figures(self) -> TranscriptionStatus:
        """Return how the engine does, and every session: delays, sound lost, speed."""
        return await self._get("/api/v1/transcription/status", TranscriptionStatus)

    async def sinks(self) -> list[SinkStatus]:
        """Return how far each sink has come: who outside is told what was said."""
        return (await self._get("/api/v1/system/sinks", SinkList)).sinks

    async def sessions(self) -> list[SessionInfo]:
        """Return the sessions that are listening now."""
        return (await self._get("/api/v1/transcription/sessions", Sessions)).sessions

    async def open_session(
        self,
        profile: str | None = None,
        custom_config: Mapping[str, Any] | None = None,
        *,
        session_id: str | None = None,
    ) -> str:
        """Open a session to be fed with chunks through `transcribe`; return its id."""
        body = SessionRequest(
            profile=profile, custom_config=dict(custom_config or {}), session_id=session_id
        )
        path = "/api/v1/transcription/sessions"
        return (await self._post(path, body, Success[SessionOpened])).data.session_id

    async def tune_session(
        self, session_id: str, custom_config: Mapping[str, Any] | None = None
    ) -> SessionTuned:
        """Change a session while it listens; return all its settings.

        Args:
            session_id: the server's own listening, or one that a client feeds.
            custom_config: laid deeply over the session's settings; nothing only asks for them.

        Raises `Refused` 409 for what wants a new start, such as another microphone.

        """
        path = f"/api/v1/transcription/sessions/{quote(session_id, safe='')}"
        body = TuneRequest(custom_config=dict(custom_config or {}))
        return (await self._send("PATCH", path, body, Success[SessionTuned])).data

    async def close_session(self, session_id: str) -> str:
        """End a session; return everything it heard, its last words included."""
        path = f"/api/v1/transcription/sessions/{quote(session_id, safe='')}"
        response = await self._ask("DELETE", path, timeout=self._patient)
        return shaped(response, Success[SessionClosed]).data.text

    async def transcribe(
        self,
        audio: Path | bytes,
        *,
        content_type: str | None = None,
        language: str | None = None,
        prompt: str | None = None,
        words: bool = False,
    ) -> Transcript:
        """Transcribe a whole recording.

        Args:
            audio: a file, or the bytes of one: WAV, FLAC, OGG, MP3, or headerless 16 kHz mono
                16-bit PCM with ``content_type="audio/L16"``.
            content_type: needed for bytes that don't say what they are.
            language: ISO 639 code; None detects it where the engine can.
            prompt: words or names to expect.
            words: give each word's time and confidence.

        """
        if isinstance(audio, Path):
            content_type = content_type or TYPES.get(audio.suffix.lower())
            audio = audio.read_bytes()
        wishes = {"language": language, "prompt": prompt, "words": "true" if words else None}
        response = await self._ask(
            "POST",
            "/api/v1/transcription/transcribe",
            content=audio,
            headers={"Content-Type": content_type or "application/octet-stream"},
            params={name: wish for name, wish in wishes.items() if wish is not None},
            timeout=self._patient,
        )
        return shaped(response, Transcript)

    @property
    def history(self) -> "History":
        """What was said before, to be searched, written as a file and deleted."""
        return History(self._ask)

    def events(
        self,
        only: Iterable[str] = (),
        *,
        session: str | None = None,
        levels: bool = True,
        since: int | None = None,
    ) -> EventStream:
        """Return the stream of events, which reconnects by itself and resumes where it was.

        Args:
            only: types of events; empty means all.
            session: only this session's.
            levels: False leaves the level events out.
            since: sequence number of the last event known; what came after it is sent first.

        """
        wishes = {
            "events": ",".join(only) or None,
            "session": session,
            "levels": None if levels else "false",
        }
        query = {name: wish for name, wish in wishes.items() if wish is not None}
        return EventStream(self._sockets("/api/v1/ws"), self._headers, query, since)

    def audio(
        self,
        profile: str | None = None,
        custom_config: Mapping[str, Any] | None = None,
        *,
        session_id: str | None = None,
        sample_rate: int = 16000,
        encoding: str = "pcm_s16le",
        channels: int = 1,
    ) -> AudioUpload:
        """Return an upload of live sound: send bytes, iterate over what was heard in them.

        Args:
            profile: a profile's name; None takes the server's default.
            custom_config: laid deeply over the profile.
            session_id: a name of your own for the session.
            sample_rate: samples a second of what will be sent.
            encoding: ``pcm_s16le`` or ``pcm_f32le``.
            channels: interleaved channels of what will be sent.

        Raises `pydantic.ValidationError`, a `ValueError`, for values no server takes.

        """
        hello = AudioHello.model_validate(
            {
                "profile": profile,
                "custom_config": dict(custom_config or {}),
                "session_id": session_id,
                "sample_rate": sample_rate,
                "encoding": encoding,
                "channels": channels,
            }
        )
        return AudioUpload(self._sockets("/api/v1/audio"), self._headers, hello)


__all__ = [
    "AudioUpload",
    "Broken",
    "Client",
    "ClientError",
    "Closed",
    "EventStream",
    "Link",
    "Refused",
    "Unauthorized",
    "Unreachable",
]
