"""Finals to a URL of yours, signed after Standard Webhooks (https://www.standardwebhooks.com)."""

import base64
import hashlib
import hmac
import time
from collections.abc import Sequence

import httpx

from backend.secret import key_of, without_secrets
from backend.sinks.feed import NotNow, Refused
from backend.sinks.places import Said
from common import VERSION

TIMEOUT = 15.0
"""Seconds for one delivery."""
LATER = {408, 409, 425, 429}
"""Refusals that another try may change."""


class Webhook:
    """One request a final; 2xx takes it."""

    name = "webhook"
    batch = 1
    whole = False

    def __init__(self, url: str, secret: str, origin: str, patience: float) -> None:
        """Set up.

        Args:
            url: where to.
            secret: signs the requests; empty signs none.
            origin: names this history among others that lead there.
            patience: seconds for which a final is tried.

        """
        self.patience = patience
        self.target = without_secrets(url)
        self._url = url
        self._key = key_of(secret)
        self._origin = origin
        self._http: httpx.AsyncClient | None = None

    async def open(self) -> None:
        self._http = httpx.AsyncClient(
            timeout=TIMEOUT, headers={"User-Agent": f"realtime-mlx-stt/{VERSION}"}
        )

    async def close(self) -> None:
        if self._http:
            await self._http.aclose()

    async def deliver(self, finals: Sequence[Said]) -> None:
        """Post finals one by one. Raises `Refused` or `NotNow`."""
        for said in finals:
            await self._post(said)

    async def _post(self, said: Said) -> None:
        assert self._http
        body = said.event.encode()
        name = f"{self._origin}-{said.seq}"
        headers = {"Content-Type": "application/json", "Idempotency-Key": name}
        headers |= signed(self._key, name, int(time.time()), body)
        try:
            answer = await self._http.post(self._url, content=body, headers=headers)
        except httpx.HTTPError as error:
            raise NotNow(f"{self.target}: {error or type(error).__name__}") from error
        if answer.is_success:
            return
        why = f"{self.target} answered HTTP {answer.status_code}"
        if 400 <= answer.status_code < 500 and answer.status_code not in LATER:
            raise Refused(why)
        raise NotNow(why, _pause(answer.headers.get("Retry-After", "")))


def signed(key: bytes, name: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers that say which message this is, from when, and that it is ours."""
    headers = {"webhook-id": name, "webhook-timestamp": str(timestamp)}
    if key:
        content = f"{name}.{timestamp}.".encode() + body
        digest = hmac.new(key, content, hashlib.sha256).digest()
        headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return headers


def _pause(retry_after: str) -> float:
    return float(retry_after) if retry_after.isascii() and retry_after.isdigit() else 0.0
