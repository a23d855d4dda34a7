"""A server's history, as `common.client.Client.history` gives it.

async for said in server.history.search("turn on the lights"):
print(said.timestamp, said.text)
"""

from collections.abc import AsyncIterator, Awaitable
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel

from common.api import Success
from common.history import (
    HistoryDeleted,
    HistoryOverview,
    HistoryPage,
    PastSessions,
    Utterance,
)
from common.rest import shaped

Shape = TypeVar("Shape", bound=BaseModel)

BASE = "/api/v1/history"


class Ask(Protocol):
    """Sends a request; raises what `common.problems` lists."""

    def __call__(self, method: str, path: str, **how: Any) -> Awaitable[httpx.Response]: ...


class History:
    """Requests about what was said. Every method raises what `common.problems` lists."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def overview(self) -> HistoryOverview:
        """Return how much there is, how long it is kept and whether it is written."""
        return await self._get("", HistoryOverview)

    async def sessions(self, *, before: int | None = None, limit: int = 50) -> PastSessions:
        """Return a page of sessions, the newest first; ``before`` is a page's ``next``."""
        return await self._get("/sessions", PastSessions, before=before, limit=limit)

    async def page(
        self,
        q: str | None = None,
        *,
        session: str | None = None,
        before: int | None = None,
        after: int | None = None,
        told_from: float | None = None,
        told_until: float | None = None,
        order: str = "newest",
        limit: int = 50,
    ) -> HistoryPage:
        """Return a page of what was said; `common.history.HistoryPageQuery` tells the wishes."""
        return await self._get(
            "/utterances",
            HistoryPage,
            q=q,
            session=session,
            before=before,
            after=after,
            told_from=told_from,
            told_until=told_until,
            order=order,
            limit=limit,
        )

    async def search(self, q: str | None = None, **wishes: Any) -> AsyncIterator[Utterance]:
        """Yield everything that fits, page by page; the wishes are those of `page`."""
        cursor = "after" if wishes.get("order") == "oldest" else "before"
        while True:
            page = await self.page(q, **wishes)
            for said in page.utterances:
                yield said
            if page.next is None:
                return
            wishes[cursor] = page.next

    async def utterance(self, seq: int) -> Utterance:
        """Return an utterance by its number."""
        return await self._get(f"/utterances/{seq}", Utterance)

    async def sound(self, seq: int) -> bytes:
        """Return an utterance's sound as a FLAC file, where the profile had it kept."""
        return (await self._ask("GET", f"{BASE}/utterances/{seq}/audio")).content

    async def export(self, kind: str = "txt", q: str | None = None, **wishes: Any) -> str:
        """Return what was said as a file: txt, md, srt, vtt or json; the wishes as for `page`."""
        given = _given({"format": kind, "q": q, **wishes})
        return (await self._ask("GET", f"{BASE}/export", params=given)).text

    async def delete(self, seq: int) -> int:
        """Delete an utterance and its sound; return how many that were."""
        return await self._delete(f"/utterances/{seq}")

    async def delete_session(self, session_id: str) -> int:
        """Delete what was said in sessions of an id; return how many utterances that were."""
        return await self._delete(f"/sessions/{quote(session_id, safe='')}")

    async def delete_all(self) -> int:
        """Delete everything; return how many utterances that were."""
        return await self._delete("", confirm="all")

    async def _get(self, path: str, shape: type[Shape], **given: object) -> Shape:
        return shaped(await self._ask("GET", BASE + path, params=_given(given)), shape)

    async def _delete(self, path: str, **given: object) -> int:
        response = await self._ask("DELETE", BASE + path, params=_given(given), timeout=None)
        return shaped(response, Success[HistoryDeleted]).data.deleted


def _given(wishes: dict[str, Any]) -> dict[str, Any]:
    return {name: wish for name, wish in wishes.items() if wish is not None}
