"""``/api/v1/transcription``: sessions that a client feeds, and whole recordings."""

import base64
import binascii
import tempfile
from contextlib import suppress
from typing import IO

import pybase64
from pydantic import ValidationError
from quart import Blueprint, Response, request

from backend.parts import Parts, parts
from backend.problems import (
    bad_request,
    conflict,
    malformed,
    not_found,
    too_large,
    too_many,
    unreadable_audio,
)
from backend.recordings import PCM, Job
from backend.routes.bodies import answer, body, pieces, success
from backend.session import Session
from backend.sources.stream import StreamSource
from common.api import (
    ConfigureRequest,
    SessionClosed,
    SessionOpened,
    SessionRequest,
    Sessions,
    SessionTuned,
    TranscribeRequest,
    Transcript,
    TranscriptionStatus,
    TuneRequest,
)

transcription = Blueprint("transcription", __name__, url_prefix="/api/v1/transcription")

SPOOL = 1 << 20
"""Bytes of an upload kept in memory; what is more goes to a temporary file."""
HEADERLESS = {"audio/l16", "audio/pcm", "audio/x-pcm", "audio/raw"}
"""Content types of headerless 16 kHz mono 16-bit PCM."""
CONTAINERS = {b"RIFF", b"fLaC", b"OggS"}
"""How files begin that would be noise if they were taken for samples."""


@transcription.post("/configure")
async def configure() -> Response:
    configured = await parts().sessions.configure(await body(ConfigureRequest))
    return success("configured", configured)


@transcription.get("/status")
async def tell_status() -> Response:
    return answer(await figures_of(parts()))


async def figures_of(here: Parts) -> TranscriptionStatus:
    """Return how reading and each session keep up."""
    desks = here.desks.all
    return TranscriptionStatus(
        engine=await here.sessions.engine_status(),
        queue_depth=sum(taken.desk.queue_depth for taken in desks),
        room_seconds=min((round(taken.desk.room, 3) for taken in desks), default=None),
        sessions=[session.figures() for session in here.sessions.all],
    )


@transcription.get("/sessions")
async def list_sessions() -> Response:
    return answer(await sessions_of(parts()))


async def sessions_of(here: Parts) -> Sessions:
    """Return who listens."""
    return Sessions(sessions=[session.info() for session in here.sessions.all])


@transcription.post("/sessions")
async def open_session() -> Response:
    session = await parts().sessions.open_for_chunks(await body(SessionRequest))
    return success("session opened", SessionOpened(session_id=session.session_id))


@transcription.patch("/sessions/<session_id>")
async def tune_session(session_id: str) -> Response:
    wish = await body(TuneRequest)
    session = await parts().sessions.tune(session_id, wish.custom_config)
    return success(
        "session changed",
        SessionTuned(
            session_id=session.session_id,
            profile=session.name,
            config=session.profile.model_dump(mode="json"),
        ),
    )


@transcription.delete("/sessions/<session_id>")
async def close_session(session_id: str) -> Response:
    session = await parts().sessions.close(session_id)
    text = " ".join(session.reader.texts)
    return success("session stopped", SessionClosed(stopped=True, text=text))


@transcription.post("/transcribe")
async def transcribe_audio() -> Response:
    here = parts()
    with tempfile.SpooledTemporaryFile(SPOOL) as spool:
        wish = await _receive(spool)
        if wish.session_id is not None:
            return answer(await _take_chunk(here, wish, spool))
        if here.uploads >= here.settings.max_uploads:
            raise too_many(
                f"{here.uploads} recordings are being transcribed, the limit of "
                "STT_SERVER_MAX_UPLOADS; try again when one is done"
            )
        with here.uploading():
            return answer(await _transcribe(here, wish, spool))


async def _receive(spool: IO[bytes]) -> TranscribeRequest:
    """Put the audio of the request into the spool; return what else it says.

    The query counts with every kind of body; what the body says too wins.
    """
    kind = (request.mimetype or "").lower()
    wish = _wish(dict(request.args))
    if kind == "application/json":
        wish = _over(wish, await _receive_json(spool))
    elif kind == "multipart/form-data":
        wish = _over(wish, await _receive_form(spool))
    else:
        async for chunk in pieces():
            spool.write(chunk)
        if kind in HEADERLESS and wish.format is None:
            wish = wish.model_copy(update={"format": "pcm_s16le"})
    if not spool.tell() and not (wish.session_id and wish.is_final):
        raise bad_request("there is no audio in the request", "No audio")
    spool.seek(0)
    return wish


async def _receive_json(spool: IO[bytes]) -> TranscribeRequest:
    wish = await body(TranscribeRequest)
    limit = parts().settings.max_base64_mb
    if len(wish.audio_data) > limit << 20:
        raise too_large(
            f"audio_data is over {limit} MiB of base64, the limit of STT_SERVER_MAX_BASE64_MB; "
            "send the file itself as the body: that takes a quarter less"
        )
    spool.write(_decoded(wish.audio_data))
    return wish


async def _receive_form(spool: IO[bytes]) -> TranscribeRequest:
    if request.content_length is None:
        raise bad_request("a form must say how long it is: send Content-Length", "No length")
    files = await request.files
    if "file" not in files:
        raise bad_request("the form needs the audio in a part called 'file'", "No audio")
    while chunk := files["file"].stream.read(SPOOL):
        spool.write(chunk)
    return _wish(dict(await request.form))


def _wish(fields: dict[str, str]) -> TranscribeRequest:
    """Return what the fields of a query or a form say; they are text, whatever they mean."""
    try:
        return TranscribeRequest.model_validate_strings({"audio_data": "", **fields}, strict=False)
    except ValidationError as error:
        raise malformed(error) from error


def _over(below: TranscribeRequest, above: TranscribeRequest) -> TranscribeRequest:
    return below.model_copy(update=above.model_dump(exclude_unset=True))


def _decoded(text: str) -> bytes:
    with suppress(ValueError):
        return pybase64.b64decode(text, validate=True)
    # What is wrong, if anything is, the standard library says; it takes fifty times as long.
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise bad_request(f"audio_data is no base64: {error}", "Bad base64") from error


async def _transcribe(here: Parts, wish: TranscribeRequest, spool: IO[bytes]) -> Transcript:
    given = wish.model_dump(include={"language", "prompt", "words"}, exclude_unset=True)
    _, profile = here.defaults.resolve(None, {"transcription": given})
    job = Job(
        transcription=profile.transcription,
        vad=profile.vad,
        format=_format(wish.format),
        longest=here.settings.max_audio_seconds,
    )
    if here.cluster:
        if transcript := await here.cluster.asking.ask(job, spool):
            return transcript
        spool.seek(0)
    return await here.read(job, spool)


def _format(name: str | None) -> str | None:
    if name is None or name.lower() in {"wav", "flac", "ogg", "opus", "mp3", "auto"}:
        return None  # libsndfile looks for itself.
    if name.lower() in PCM:
        return "pcm_s16le"
    raise unreadable_audio(
        f"unknown format {name!r}; leave it out for WAV, FLAC, OGG/Opus or MP3, or say 'pcm_s16le' "
        "for headerless 16 kHz mono 16-bit PCM"
    )


async def _take_chunk(here: Parts, wish: TranscribeRequest, spool: IO[bytes]) -> Transcript:
    """Feed a chunk to its session; answer with what it has understood so far."""
    session = here.sessions.find(wish.session_id or "")
    source = session.source
    if not isinstance(source, StreamSource) or source.name != "upload":
        raise conflict(f"session {session.session_id!r} isn't fed by requests")
    _check_chunk(wish, spool)
    while chunk := spool.read(SPOOL):
        if not await source.feed(chunk):
            raise not_found(f"session {session.session_id!r} has ended meanwhile")
        here.sessions.keep_alive(session)  # A long chunk may take longer than it may be idle.
    if wish.is_final:
        await here.sessions.close(session.session_id)
    await here.bus.settle()  # What is answered is in history.
    return _so_far(session)


def _check_chunk(wish: TranscribeRequest, spool: IO[bytes]) -> None:
    """Refuse what a session would take for noise, or not take at all."""
    if fixed := sorted(wish.model_fields_set & {"language", "prompt", "words"}):
        raise bad_request(
            f"{', '.join(fixed)}: a session is read as it was opened; say it there, in "
            "custom_config.transcription, and leave it out of the chunks"
        )
    begin = spool.read(4)
    spool.seek(0)
    if _format(wish.format or "pcm_s16le") is None or begin in CONTAINERS:
        raise unreadable_audio(
            "a session's chunks are headerless 16 kHz mono 16-bit PCM; send a recording without "
            "session_id, or its samples alone"
        )


def _so_far(session: Session) -> Transcript:
    engine = session.reader.taken.desk.engine
    return Transcript(
        text=" ".join(session.reader.texts),
        language=session.profile.transcription.language,
        duration=session.info().audio_seconds,
        engine=engine.name,
        model=engine.model,
        processing_seconds=0.0,
    )
