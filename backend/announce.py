"""Telling the local network of this server, by mDNS: where it may be reached, never with what.

Only a server that listens beyond this machine is announced, and it is withdrawn when it leaves.
"""

import asyncio
import logging
import socket
from collections.abc import Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING

from backend.settings import Settings
from common import VERSION
from common.nearby import SERVICE

if TYPE_CHECKING:
    from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

log = logging.getLogger(__name__)


def wanted(settings: Settings) -> bool:
    """Whether the server is to be announced."""
    return settings.announce and not settings.loopback


def properties(settings: Settings) -> dict[str, str]:
    """Return what is told besides name and address: all of it is public."""
    return {"version": VERSION, "path": "/", "auth": "1" if settings.auth_enabled else "0"}


def addresses(host: str) -> list[str]:
    """Return the addresses under which a host that is listened on is reached from outside."""
    if host not in ("0.0.0.0", "::"):
        return sorted({str(one[4][0]) for one in socket.getaddrinfo(host, None)})
    import ifaddr

    found = {
        ip.ip if isinstance(ip.ip, str) else ip.ip[0]
        for adapter in ifaddr.get_adapters()
        for ip in adapter.ips
    }
    return sorted(one for one in found if _is_reached(one, v6=host == "::"))


def _is_reached(address: str, *, v6: bool) -> bool:
    parsed = ip_address(address)
    return not (parsed.is_loopback or parsed.is_link_local) and (v6 or parsed.version == 4)


class Announcement:
    """A server that is, or is about to be, announced. Begin it and end it on the event loop."""

    def __init__(
        self, settings: Settings, port: int, *, interfaces: Sequence[str] | None = None
    ) -> None:
        """
        Args:
            settings: the server's.
            port: where it listens.
            interfaces: addresses of this machine to tell it on; None for all.

        """
        self._settings = settings
        self._port = port
        self._interfaces = interfaces
        self._zeroconf: AsyncZeroconf | None = None
        self._info: AsyncServiceInfo | None = None
        self._beginning: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Announce it, which takes a second; a network that doesn't let us is no fault."""
        self._beginning = asyncio.create_task(self._begin())

    async def _begin(self) -> None:
        try:
            await self._register()
        except (OSError, ImportError) as error:
            log.warning("not announced on the local network: %s", error)
        except Exception as error:
            # The library's own: a name that is taken again and again, packets that make no sense.
            log.warning("not announced on the local network: %s", error or type(error).__name__)

    async def _register(self) -> None:
        from zeroconf import InterfaceChoice
        from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

        host = socket.gethostname().partition(".")[0] or "server"
        where = await asyncio.to_thread(addresses, self._settings.host)
        self._info = AsyncServiceInfo(
            SERVICE,
            f"{host}-{self._port}.{SERVICE}",
            port=self._port,
            properties=properties(self._settings),
            server=f"{host}.local.",
            parsed_addresses=where,
        )
        interfaces = list(self._interfaces) if self._interfaces else InterfaceChoice.All
        self._zeroconf = AsyncZeroconf(interfaces=interfaces)
        await self._zeroconf.async_register_service(self._info, allow_name_change=True)
        log.info("announced on the local network as %s", self._info.name)

    async def done(self) -> None:
        """Wait until it is announced, or it is clear that it can't be."""
        if self._beginning:
            await self._beginning

    async def end(self) -> None:
        """Withdraw it."""
        if self._beginning:
            self._beginning.cancel()
            await asyncio.gather(self._beginning, return_exceptions=True)
        if self._zeroconf:
            await self._zeroconf.async_unregister_all_services()
            await self._zeroconf.async_close()
            self._zeroconf = None
