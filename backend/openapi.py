"""What ``/openapi.json`` says: OpenAPI 3.1, made of the shapes of `common.api`.

The operations stand in `backend.operations`. The two WebSockets,
which OpenAPI has no words for, are told in the description, and their events as schemas.
"""

from collections.abc import Iterator

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from backend.operations import OPERATIONS, Json, Operation
from common import VERSION
from common.api import (
    AudioHello,
    Fault,
    TranscribeRequest,
)
from common.events import KINDS
from common.profile import Profile

SCHEMAS = "#/components/schemas/"
REFUSALS = {
    400: ("BadRequest", "The request is malformed: each fault with its path."),
    401: ("Unauthorized", "The token is missing or wrong."),
    403: ("Forbidden", "A web page of a foreign origin, or a name the server isn't known by."),
    404: ("NotFound", "There is nothing of that name; the details list what there is."),
    409: ("Conflict", "The state forbids it; the details say how to get past that."),
    413: ("TooLarge", "More than the limits of the server allow."),
    415: ("UnreadableAudio", "The audio can't be decoded."),
    429: ("TooMany", "Too many requests, sessions or recordings at a time."),
    500: ("OurFault", "The server failed; its log has the reason."),
    503: ("NotAvailable", "An engine, model, key or device is missing, or the server is leaving."),
}
"""What may be answered instead: the component's name and what it means, by status."""

DESCRIPTION = """\
A realtime speech-to-text server. Times are in seconds, levels in dBFS, errors always in one form
(`Fault`).

## Events out: WebSocket /api/v1/ws

Text frames, one flat JSON object each: one of the schemas that carry `event`, beginning with
`Welcome`. Durable events are numbered (`seq`). The query may hold `events=transcription,wake_word`
(only these), `session=ID` (only its), `levels=false` and `since=SEQ` (what was missed comes first).
Text commands: `{"command":"ping"}` and `{"command":"subscribe","events":[…],"session":ID,
"levels":true}`. A client that can't keep up is closed with 1013 and may resume.

Servers of one cluster (`cluster` in `Welcome`) tell the same under the same numbers: a client
resumes on any of them. One that can't follow the others answers the handshake with 503.

## Sound in: WebSocket /api/v1/audio

The first text frame is an `AudioHello`; then binary frames of samples, of any length, and the text
commands `{"command":"flush"}` and `{"command":"stop"}`. The same socket carries back the session's
events, the last of them `SessionStopped`.

Where the server wants a token, both sockets take it as REST does; a browser offers the subprotocols
`stt.v1` and `bearer.` + base64url(TOKEN).
"""

TAGS = {
    "system": "The server, its own listening, profiles and devices.",
    "history": "What was said, found again, written as files, and forgotten.",
    "transcription": "Recordings, sessions that a client feeds, and the engine.",
    "server": "What stands outside the versioned interface.",
}

QUERY = ("format", "session_id", "is_final", "language", "prompt", "words")
"""The fields of `TranscribeRequest` that may stand in the query or a form."""


def document(*, wants_token: bool) -> Json:
    """Return the OpenAPI document of a server that wants a token, or doesn't."""
    paths: dict[str, Json] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation, wants_token)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Realtime MLX STT",
            "version": VERSION,
            "description": DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "responses": {
                name: _response(status, meaning) for status, (name, meaning) in REFUSALS.items()
            },
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(operation: Operation, wants_token: bool) -> Json:
    guarded = not operation.open
    statuses = {*operation.refusals, 500}
    if operation.path != "/health":
        statuses |= {403, 429}
    if wants_token and guarded:
        statuses.add(401)
    told: Json = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.tag],
        "responses": {
            "200": {"description": operation.summary, "content": _content(operation.answer)},
            **{
                str(status): {"$ref": f"#/components/responses/{REFUSALS[status][0]}"}
                for status in sorted(statuses)
            },
        },
    }
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": schema}
        for name, schema in operation.parameters
    ]
    parameters += _asked(operation.asks) if operation.asks else ()
    if parameters:
        told["parameters"] = parameters
    if operation.takes is TranscribeRequest:
        told["parameters"] = list(_query())
        told["requestBody"] = {"required": True, "content": _audio()}
    elif operation.takes:
        told["requestBody"] = {
            "required": operation.takes is Profile or _must_be_told(operation.takes),
            "content": _content(operation.takes),
        }
    if wants_token and guarded:
        told["security"] = [{"token": []}]
    return told


def _must_be_told(shape: type[BaseModel]) -> bool:
    """Whether an empty body can't be one of this shape."""
    return any(field.is_required() for field in shape.model_fields.values())


def _content(answer: type[BaseModel] | str) -> Json:
    if answer == "application/json":
        return {answer: {"schema": {"type": "object"}}}
    if answer == "*/*":
        return {answer: {"schema": {}}}  # Text of several kinds, JSON among them.
    if isinstance(answer, str):
        return {answer: {"schema": {"type": "string"}}}
    return {"application/json": {"schema": {"$ref": SCHEMAS + _named(answer)}}}


def _query() -> Iterator[Json]:
    return (told for told in _asked(TranscribeRequest) if told["name"] in QUERY)


def _asked(shape: type[BaseModel]) -> Iterator[Json]:
    schema = shape.model_json_schema()
    for name, field in schema["properties"].items():
        yield {
            "name": name,
            "in": "query",
            "description": field.get("description", ""),
            "required": name in schema.get("required", ()),
            "schema": _without_null(field),
        }


def _audio() -> Json:
    fields = TranscribeRequest.model_json_schema()["properties"]
    form = {"file": {"type": "string", "contentMediaType": "application/octet-stream"}}
    form |= {name: _without_null(fields[name]) for name in QUERY}
    raw = {"schema": {"type": "string", "contentMediaType": "application/octet-stream"}}
    return {
        **_content(TranscribeRequest),
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": form,
                "required": ["file"],
                "additionalProperties": False,
            }
        },
        # WAV, FLAC, OGG/Opus and MP3 under any name; headerless PCM under its own.
        "application/octet-stream": raw,
        "audio/*": raw,
    }


def _without_null(schema: Json) -> Json:
    """A field of a query or a form can't be null: it is left out."""
    schema = {key: value for key, value in schema.items() if key not in {"default", "title"}}
    for kind in schema.pop("anyOf", []):
        if kind != {"type": "null"}:
            schema |= kind
    return schema


def _response(status: int, meaning: str) -> Json:
    response: Json = {"description": meaning, "content": _content(Fault)}
    if status == 429:
        seconds = {"description": "Seconds to wait", "schema": {"type": "string"}}
        response["headers"] = {"Retry-After": seconds}
    if status == 401:
        response["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    return response


def _named(shape: type[BaseModel]) -> str:
    return shape.__name__.replace("[", "_").replace("]", "")


def _schemas() -> Json:
    requests = {operation.takes for operation in OPERATIONS if operation.takes} | {AudioHello}
    answers = {
        operation.answer for operation in OPERATIONS if not isinstance(operation.answer, str)
    }
    answers |= {Fault, *KINDS}
    schemas: Json = {}
    for shapes, mode in ((answers, "serialization"), (requests, "validation")):
        ordered = sorted(shapes, key=_named)
        _, made = models_json_schema(
            [(shape, mode) for shape in ordered],  # type: ignore[misc]
            ref_template=SCHEMAS + "{model}",
        )
        schemas |= {name.rstrip("_"): schema for name, schema in made["$defs"].items()}
    # These are dicts to Python: a part of a profile, and one that a newer server may have saved.
    profile = {"$ref": SCHEMAS + "Profile"}
    for name in ("NamedProfile", "SessionTuned"):
        schemas[name]["properties"]["config"] = profile
    for name in ("StartRequest", "SessionRequest", "AudioHello", "TuneRequest"):
        schemas[name]["properties"]["custom_config"] |= profile
    return schemas
