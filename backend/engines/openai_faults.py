"""What went wrong between us and OpenAI, how to mend it, and whether to try again.

Nothing here tells the key: what a server answers is told only without it.
"""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from openai import APIStatusError

KEY = "OPENAI_API_KEY"
URL = "OPENAI_BASE_URL"
OPENAI = "api.openai.com"

SPENT = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
"""Codes of a 429 that no waiting mends."""
PASSING = frozenset({408, 409, 425, 429})
"""Statuses under 500 that may be different the next time."""
LONGEST = 200
"""Characters that are told of a server's own message."""


class NotTheProtocol(ValueError):
    """The server answered something that OpenAI's doesn't."""


@dataclass(frozen=True)
class Fault:
    """One failed request."""

    text: str
    """What was wrong, and how to mend it."""
    again: bool = False
    """It may pass: the same request is worth another try."""
    after: float | None = None
    """Seconds that the server asks to wait before it."""


def server() -> str:
    """Return what to call the server: OpenAI, or the host of `URL`."""
    host = urlsplit(os.environ.get(URL, "")).hostname
    return "OpenAI" if host in {None, OPENAI} else str(host)


def explain(error: Exception, model: str) -> Fault:
    """Return what an exception of the SDK means to whoever runs this server."""
    import openai

    who = server()
    if isinstance(error, openai.APIStatusError):
        return _refused(error, model, who)
    if isinstance(error, openai.APITimeoutError | TimeoutError):
        return Fault(f"{who} didn't answer in time: is the network slow?", again=True)
    if isinstance(error, NotTheProtocol | openai.APIResponseValidationError | ValueError):
        where = os.environ.get(URL) and f": is {URL} right?"
        return Fault(f"{who} answered something that is not its protocol{where or ''}")
    cause = error.__cause__ or error
    told = _told(f"{cause}") or type(cause).__name__
    return Fault(f"{who} can't be reached ({told}): is the network there?", again=True)


def _refused(error: "APIStatusError", model: str, who: str) -> Fault:
    body = error.body if isinstance(error.body, dict) else {}
    status, said = error.status_code, _told(str(body.get("message") or "no reason given"))
    after = _asked_to_wait(error.response.headers)
    if status == 429 and error.code in SPENT:
        return Fault(
            f"the credit of the key in {KEY} is used up (429 {error.code}): add some at "
            "https://platform.openai.com/settings/organization/billing"
        )
    if status == 429:
        return Fault(f"{who} gets too many requests (429: {said})", again=True, after=after)
    if status >= 500 or status in PASSING:
        return Fault(f"{who} has trouble of its own ({status}: {said})", again=True, after=after)
    return Fault(_lasting(status, said, model, who))


def _lasting(status: int, said: str, model: str, who: str) -> str:
    """Return what is told of a refusal that no second try mends."""
    texts = {
        401: f"{who} refuses the key in {KEY} (401): it is wrong, or was revoked; set the "
        "variable to one of https://platform.openai.com/api-keys and start the server again",
        403: f"{who} doesn't allow {model} to this key or from here (403: {said}): allow the "
        "model in the project's limits, or take another with transcription.model",
        404: f"{who} has no model {model} for this key (404: {said}): name another in "
        "transcription.model",
    }
    return texts.get(status, f"{who} refuses the request ({status}: {said})")


def _told(message: str) -> str:
    """Return a server's message in a line, without the key."""
    key = os.environ.get(KEY)
    line = " ".join(message.split())
    if key:
        line = line.replace(key, "…")
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"


def _asked_to_wait(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that ``Retry-After`` asks for, which is a number or a date."""
    try:
        if milliseconds := headers.get("retry-after-ms"):
            return max(0.0, float(milliseconds) / 1000)
        given = headers.get("retry-after")
        if given is None:
            return None
        if given.strip().replace(".", "", 1).isdigit():
            return float(given)
        return max(0.0, parsedate_to_datetime(given).timestamp() - time.time())
    except ValueError:
        return None
