"""The cluster's durable events: one Redis stream, whose order is everybody's.

An entry's id is ``SEQ-0``. A script gives the numbers and adds the events in one step, and adds
none twice: of each server's life Redis knows how far it has come.
"""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from backend.cluster.keys import BLOCK, Keys

if TYPE_CHECKING:
    from redis.asyncio import Redis

KEPT = 100_000
"""Events, about, that the stream keeps."""
BATCH = 500
"""Entries read at a time."""
REMEMBERED = 30 * 86400
"""Seconds for which it is known how far a server's life had come."""

ADD = """
local told = tonumber(redis.call('GET', KEYS[2]) or '-1')
local added = 0
local last = 0
local about = redis.pcall('XINFO', 'STREAM', KEYS[1])
if about.err then
  last = tonumber(ARGV[3])
else
  for i = 1, #about, 2 do
    if about[i] == 'last-generated-id' then last = tonumber(string.match(about[i + 1], '^%d+')) end
  end
end
last = math.max(last, tonumber(ARGV[2]))
for i = 6, #ARGV, 2 do
  local n = tonumber(ARGV[i])
  if n > told then
    last = last + 1
    redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[4], string.format('%.0f-0', last),
      'origin', ARGV[1], 'n', ARGV[i], 'event', ARGV[i + 1])
    told = n
    added = added + 1
  end
end
redis.call('SET', KEYS[2], string.format('%.0f', told), 'EX', ARGV[5])
return added
"""
"""KEYS: the stream, how far the origin is. ARGV: the origin, the number below which none may be
given, the time in ms (where a stream begins), entries to keep, seconds to remember the origin for,
then n and JSON of each event."""


class Entry(NamedTuple):
    """An event as it is in the stream."""

    seq: int
    origin: str
    """The life of the server that told it; empty for what no server did."""
    n: int
    event: str
    """JSON, without a number."""


class Log:
    """The stream, over one connection. Every method raises what redis-py does."""

    def __init__(self, redis: "Redis", keys: Keys) -> None:
        self._redis = redis
        self._keys = keys
        self._add = redis.register_script(ADD)

    async def add(self, origin: str, floor: int, events: Sequence[tuple[int, str]]) -> int:
        """Add one origin's events, those that were not added before; return how many that were.

        Args:
            origin: the life of a server.
            floor: no number up to this one may be given.
            events: n, which grows within the origin, and JSON of each.

        """
        told: list[Any] = [origin, floor, int(time.time() * 1000), KEPT, REMEMBERED]
        for n, text in events:
            told += [n, text]
        return int(await self._add(keys=[self._keys.events, self._keys.told(origin)], args=told))

    async def follow(self, after: int) -> list[Entry]:
        """Return what comes after a number; wait a moment if there is nothing."""
        key = self._keys.events
        found: Any = await self._redis.xread(
            {key: f"{after}-0"}, count=BATCH, block=int(BLOCK * 1000)
        )
        return _entries(found[0][1]) if found else []

    async def between(self, after: int, below: int, limit: int) -> list[Entry]:
        """Return the entries numbered between the two, oldest first."""
        if below <= after + 1:
            return []
        first, last = f"{after + 1}-0", f"{below - 1}-0"
        return _entries(await self._redis.xrange(self._keys.events, first, last, count=limit))

    async def oldest(self) -> int | None:
        """Return the number of the oldest entry, None if there is none."""
        found = _entries(await self._redis.xrange(self._keys.events, count=1))
        return found[0].seq if found else None

    async def tail(self) -> int:
        """Return the newest number that was given, 0 if none was."""
        from redis.exceptions import ResponseError

        try:
            about: Any = await self._redis.xinfo_stream(self._keys.events)
        except ResponseError as error:
            if "no such key" in str(error):
                return 0
            raise
        return int(about["last-generated-id"].partition(b"-")[0])

    async def before_newest(self, count: int) -> int:
        """Return the number after which so many entries come, or all there are."""
        found: Any = await self._redis.xrevrange(self._keys.events, count=count)
        return int(found[-1][0].partition(b"-")[0]) - 1 if found else await self.tail()

    async def forget(self, numbers: Sequence[int]) -> None:
        """Delete entries."""
        await self._redis.xdel(self._keys.events, *(f"{seq}-0" for seq in numbers))


def _entries(found: Any) -> list[Entry]:
    """Return what was read; what a stranger added has no origin."""
    return [_entry(int(name.partition(b"-")[0]), fields or {}) for name, fields in found]


def _entry(seq: int, fields: dict[bytes, bytes]) -> Entry:
    if not {b"origin", b"n", b"event"} <= fields.keys():
        return Entry(seq, "", 0, "")
    return Entry(seq, fields[b"origin"].decode(), int(fields[b"n"]), fields[b"event"].decode())
