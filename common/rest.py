"""One connection to one server: requests out, shapes or `common.problems` back."""

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from common.problems import Broken, Closed, Unreachable, refusal
from common.profile import faults

Shape = TypeVar("Shape", bound=BaseModel)


class Rest:
    """What `common.client.Client` asks through."""

    def __init__(
        self,
        url: str | Sequence[str] = "http://127.0.0.1:8000",
        token: str | None = None,
        *,
        timeout: float = 10.0,
    ) -> None:
        """
        Args:
            url: where the server is, such as ``http://studio.local:8000``; or where the servers
                of a cluster are: while one can't be reached, the next one is asked.
            token: the server's token, where it wants one.
            timeout: seconds for a request; transcribing, starting and stopping take as long as
                they take.

        Raises `ValueError` for something that is no ``http`` or ``https`` URL.

        """
        self._urls = [_checked(one) for one in ([url] if isinstance(url, str) else url)]
        if not self._urls:
            raise ValueError("no server's address is given; expected http://HOST:PORT")
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

    @property
    def url(self) -> str:
        """Where the server is that is asked now."""
        return self._urls[0]

    def _sockets(self, path: str) -> list[str]:
        """Return where a socket is to be tried, in this order."""
        return ["ws" + url.removeprefix("http") + path for url in self._urls]

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
        response = await self._reached(method, path, **how)
        if response.is_error:
            raise refusal(response.status_code, response.content)
        return response

    async def _reached(self, method: str, path: str, **how: Any) -> httpx.Response:
        """Ask one server after the other until one is there."""
        for left in reversed(range(len(self._urls))):
            try:
                return await self._http.request(method, path, **how)
            except (httpx.RequestError, RuntimeError) as error:
                if self._http.is_closed:
                    raise Closed(f"{self.url}: this client is closed") from error
                if isinstance(error, RuntimeError):
                    raise
                unsent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
                fault = Unreachable(f"{self.url}: {error or type(error).__name__}")
                if not unsent or not left:
                    raise fault from error
                self._urls.append(self._urls.pop(0))
                self._http.base_url = httpx.URL(self.url)
        raise AssertionError


def shaped(response: httpx.Response, shape: type[Shape]) -> Shape:
    """Return what an answer holds. Raises `Broken` for one of another kind."""
    try:
        return shape.model_validate_json(response.content)
    except ValidationError as error:
        raise Broken(f"{response.url} is no speech-to-text server: {faults(error)}") from error


def _checked(url: str) -> str:
    """Return a server's address. Raises `ValueError` for anything else."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ValueError(f"not a server's address: {url!r} ({error})") from error
    port = parsed.port or 0
    has_host = parsed.host and "[" not in parsed.host
    if parsed.scheme not in ("http", "https") or not has_host or not 0 <= port <= 65535:
        raise ValueError(f"not a server's address: {url!r}; expected http://HOST:PORT")
    return url.rstrip("/")
