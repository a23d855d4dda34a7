"""One connection to one server: requests out, shapes or `common.problems` back."""

from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from common.problems import Broken, Unreachable, refusal
from common.profile import faults

Shape = TypeVar("Shape", bound=BaseModel)


class Rest:
    """What `common.client.Client` asks through."""

    def __init__(
        self, url: str = "http://127.0.0.1:8000", token: str | None = None, *, timeout: float = 10.0
    ) -> None:
        """
        Args:
            url: where the server is, such as ``http://studio.local:8000``.
            token: the server's token, where it wants one.
            timeout: seconds for a request; transcribing, starting and stopping take as long as
                they take.

        Raises `ValueError` for something that is no ``http`` or ``https`` URL.

        """
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise ValueError(f"not a server's address: {url!r} ({error})") from error
        port = parsed.port or 0
        has_host = parsed.host and "[" not in parsed.host
        if parsed.scheme not in ("http", "https") or not has_host or not 0 <= port <= 65535:
            raise ValueError(f"not a server's address: {url!r}; expected http://HOST:PORT")
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.AsyncClient(
            base_url=self.url, headers=self._headers, timeout=timeout, trust_env=False
        )
        self._patient = httpx.Timeout(timeout, read=None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the HTTP connections. Streams are closed by their own context managers."""
        await self._http.aclose()

    def _socket(self, path: str) -> str:
        return "ws" + self.url.removeprefix("http") + path

    async def _get(self, path: str, shape: type[Shape]) -> Shape:
        return shaped(await self._ask("GET", path), shape)

    async def _post(self, path: str, body: BaseModel | None, shape: type[Shape]) -> Shape:
        return await self._send("POST", path, body, shape)

    async def _send(
        self, method: str, path: str, body: BaseModel | None, shape: type[Shape]
    ) -> Shape:
        content = body.model_dump_json(exclude_unset=True) if body else None
        headers = {"Content-Type": "application/json"} if body else {}
        response = await self._ask(
            method, path, content=content, headers=headers, timeout=self._patient
        )
        return shaped(response, shape)

    async def _ask(self, method: str, path: str, **how: Any) -> httpx.Response:
        try:
            response = await self._http.request(method, path, **how)
        except httpx.RequestError as error:
            raise Unreachable(f"{self.url}: {error or type(error).__name__}") from error
        if response.is_error:
            raise refusal(response.status_code, response.content)
        return response


def shaped(response: httpx.Response, shape: type[Shape]) -> Shape:
    """Return what an answer holds. Raises `Broken` for one of another kind."""
    try:
        return shape.model_validate_json(response.content)
    except ValidationError as error:
        raise Broken(f"{response.url} is no speech-to-text server: {faults(error)}") from error
