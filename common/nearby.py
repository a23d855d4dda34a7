"""Servers of the local network, found by mDNS while one looks."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zeroconf import ServiceStateChange, Zeroconf

SERVICE = "_stt-server._tcp.local."
"""What servers announce themselves as."""
ANSWER = 3000
"""Milliseconds in which a server that was seen must tell its address."""


@dataclass(frozen=True)
class Nearby:
    """A server that announced itself. Anyone on the network can: it is a claim, no proof."""

    name: str
    url: str
    version: str
    wants_token: bool


def nearby(name: str, addresses: Sequence[str], port: int, told: dict[str, str]) -> Nearby | None:
    """Return the server that an announcement describes; None where it can't be reached."""
    if not addresses or not 0 < port < 65536:
        return None
    address = next((one for one in addresses if ":" not in one), f"[{addresses[0]}]")
    return Nearby(
        name=name.removesuffix("." + SERVICE),
        url=f"http://{address}:{port}",
        version=told.get("version", ""),
        wants_token=told.get("auth") == "1",
    )


class Lookout:
    """Looks for servers from `begin` to `end`; both on the event loop."""

    def __init__(
        self,
        changed: Callable[[list[Nearby]], None],
        *,
        interfaces: Sequence[str] | None = None,
    ) -> None:
        """
        Args:
            changed: called on the event loop with all that are there, when one comes or goes.
            interfaces: addresses of this machine to look on; None for all.

        """
        self._changed = changed
        self._interfaces = interfaces
        self._found: dict[str, Nearby] = {}
        self._zeroconf: Any = None
        self._browser: Any = None
        self._asking: set[asyncio.Future[None]] = set()

    async def begin(self) -> None:
        """Look. Raises OSError where the network doesn't let us, ImportError without zeroconf."""
        from zeroconf import InterfaceChoice
        from zeroconf.asyncio import AsyncServiceBrowser, AsyncZeroconf

        interfaces = list(self._interfaces) if self._interfaces else InterfaceChoice.All
        self._zeroconf = AsyncZeroconf(interfaces=interfaces)
        self._browser = AsyncServiceBrowser(
            self._zeroconf.zeroconf, SERVICE, handlers=[self._notice]
        )

    async def end(self) -> None:
        """Look no more."""
        if self._browser:
            await self._browser.async_cancel()
        if self._zeroconf:
            await self._zeroconf.async_close()
        self._zeroconf = self._browser = None
        self._found.clear()

    def _notice(
        self,
        zeroconf: "Zeroconf",
        service_type: str,
        name: str,
        state_change: "ServiceStateChange",
    ) -> None:
        from zeroconf import ServiceStateChange

        if state_change is ServiceStateChange.Removed:
            if self._found.pop(name, None):
                self._changed(list(self._found.values()))
        else:
            task = asyncio.ensure_future(self._ask(zeroconf, service_type, name))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    async def _ask(self, zeroconf: "Zeroconf", service_type: str, name: str) -> None:
        from zeroconf.asyncio import AsyncServiceInfo

        info = AsyncServiceInfo(service_type, name)
        if not await info.async_request(zeroconf, ANSWER) or self._zeroconf is None:
            return
        told = {
            key.decode(errors="replace"): (value or b"").decode(errors="replace")
            for key, value in info.properties.items()
        }
        found = nearby(name, info.parsed_scoped_addresses(), info.port or 0, told)
        if found:
            self._found[name] = found
            self._changed(list(self._found.values()))
