"""Every error a client may see, in the one form that REST and the sockets share.

`Problem` is raised anywhere below a route; the routes' error handlers turn it into JSON. The
family, by status:

400 the request (malformed, unknown fields, bad values)    `bad_request`
401 no token, or the wrong one                             `unauthorized`
403 a web page of a foreign origin, or a foreign name      `foreign_origin`, `foreign_host`
404 no such path, profile or session                       `not_found`
405 the path has no such method                            (the framework's)
409 the state forbids it                                   `conflict`
413 more than the limits allow                             `too_large`
415 audio that can't be decoded                            `unreadable_audio`
429 too many sessions, connections or requests             `too_many`, `too_often`
500 our fault                                              (anything not foreseen)
503 something this needs is missing, or we are leaving     `missing`, `leaving`
"""

import math
from datetime import UTC, datetime

from pydantic import ValidationError
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from backend.front import NUMBER
from common.api import Fault
from common.profile import faults


class Problem(Exception):
    """Something the client must know. The details say what was wrong and how to mend it."""

    def __init__(
        self, status: int, error: str, details: str, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(f"{error}: {details}")
        self.status = status
        self.error = error
        self.details = details
        self.headers = headers or {}

    def body(self) -> str:
        """Return the JSON that goes to the client."""
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return Fault(
            error=self.error, details=self.details, status_code=self.status, timestamp=now
        ).model_dump_json()


def bad_request(details: str, error: str = "Bad request") -> Problem:
    return Problem(400, error, details)


def malformed(error: ValidationError) -> Problem:
    """A body that doesn't fit its schema: every fault with its path."""
    return bad_request(faults(error))


def unauthorized() -> Problem:
    return Problem(
        401,
        "Unauthorized",
        "this server wants its token: send the header 'Authorization: Bearer TOKEN'; "
        "from a browser's WebSocket, offer the subprotocols 'stt.v1' and 'bearer.' + "
        "base64url(TOKEN)",
        {"WWW-Authenticate": "Bearer"},
    )


def foreign_origin(origin: str) -> Problem:
    return Problem(
        403,
        "Origin not allowed",
        f"pages of {origin} may not listen in; list it in STT_SERVER_CORS_ORIGINS to allow it",
    )


def foreign_host(host: str) -> Problem:
    return Problem(
        403,
        "Host not allowed",
        f"this server has no token and isn't known as {host[:80]}, so a web page could be behind "
        "that name; call it by its address, or list http://NAME in STT_SERVER_CORS_ORIGINS",
    )


def not_found(details: str, error: str = "Not found") -> Problem:
    return Problem(404, error, details)


def not_a_page(path: str) -> Problem:
    """A plain request where a WebSocket is served."""
    return bad_request(
        f"{path} is a WebSocket: connect to it with ws:// or wss://, as the description in "
        "/openapi.json says",
        "WebSocket expected",
    )


def conflict(details: str, error: str = "Conflict") -> Problem:
    return Problem(409, error, details)


def too_large(details: str) -> Problem:
    return Problem(413, "Too large", details)


def unreadable_audio(details: str) -> Problem:
    return Problem(415, "Audio can't be read", details)


def too_many(details: str) -> Problem:
    return Problem(429, "Too many", details, {"Retry-After": "5"})


def too_often(rate: float, pause: float) -> Problem:
    return Problem(
        429,
        "Too many requests",
        f"over {rate:g} requests a second from this address, the limit of STT_SERVER_MAX_REQUESTS",
        {"Retry-After": str(math.ceil(pause))},
    )


def missing(details: str, error: str = "Not available") -> Problem:
    return Problem(503, error, details)


def leaving() -> Problem:
    return Problem(503, "Server is stopping", "try again in a moment", {"Retry-After": "2"})


def from_http(error: HTTPException) -> Problem:
    """The framework's own refusals: an unknown path, a wrong method."""
    status = error.code or 500
    if isinstance(error, MethodNotAllowed):
        methods = ", ".join(sorted(error.valid_methods or ()))
        details = f"this path takes {methods}; /docs tells of all"
        return Problem(status, "Method not allowed", details, {"Allow": methods})
    if status == 404:
        return not_found("there is no such path; /docs lists those that there are")
    return Problem(status, error.name, error.description or error.name)


def ours(error: BaseException, debug: bool) -> Problem:
    """A crash. Its text goes out only in debug: it may hold what is nobody's business."""
    details = "the server failed; its log has the reason"
    if debug:
        details = f"{type(error).__name__}: {error}"
    if request := NUMBER.get():
        details += f" (request {request})"
    return Problem(500, "Internal server error", details)
