"""The servers that this user's console knows, by name; their tokens in the system's keyring.

The list is a JSON file that only the user can read. A token goes to the keyring where there is
one, and into that file where there isn't. The keyring may take its time, and may ask the user for
a password: what touches tokens is for worker threads.
"""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import platformdirs

APP = "realtime-mlx-stt"
"""The folder of settings, and the service's name in the keyring."""


class NoServers(OSError):
    """The list can't be read or written. The text says why."""


@dataclass(frozen=True)
class Known:
    """A server that is remembered."""

    name: str
    url: str
    keeper: str = ""
    """Where its token is: ``keyring``, ``file``, or nowhere."""
    token: str | None = None
    """Only of one that is kept in the file."""

    def __repr__(self) -> str:
        return f"Known({self.name!r}, {self.url!r}, {self.keeper!r})"


def address(text: str) -> str:
    """Return a server's address as it is kept. Raises ValueError, which says what is wrong."""
    try:
        parts = urlsplit(text)
        # Looking at the port is what checks it.
        fine = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        fine = False
    if not fine or not text.isprintable() or " " in text:
        raise ValueError(f"not a server's address: {text!r}; try http://HOST:PORT")
    return text.rstrip("/")


def path() -> Path:
    """Return where the list lies."""
    return platformdirs.user_config_path(APP) / "servers.json"


def load(file: Path) -> list[Known]:
    """Return the servers that are remembered. Raises `NoServers` for a file that is damaged."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        return [_known(one) for one in data["servers"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NoServers(
            f"the list of servers can't be read: {error}; mend {file} or move it away"
        ) from error


def _known(data: dict[str, Any]) -> Known:
    token = data.get("token")
    return Known(
        name=str(data["name"]),
        url=str(data["url"]),
        keeper=str(data.get("keeper", "")),
        token=None if token is None else str(token),
    )


def save(file: Path, servers: Sequence[Known]) -> None:
    """Write the list, whole or not at all, for this user's eyes only. Raises `NoServers`."""
    import tempfile  # A third of what this module takes to load, and seldom needed.

    told = [
        {name: value for name, value in asdict(one).items() if value not in (None, "")}
        for one in servers
    ]
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # mkstemp makes it readable by nobody else, from its first byte on.
        handle, beside = tempfile.mkstemp(prefix=".servers-", dir=file.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as open_file:
                json.dump({"servers": told}, open_file, indent=2, ensure_ascii=False)
            Path(beside).replace(file)
        except BaseException:
            Path(beside).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise NoServers(f"{file} can't be written: {error.strerror or error}") from error


def change(file: Path, make: Callable[[list[Known]], list[Known]]) -> list[Known]:
    """Change the list as it is now, and return it: another console may have done so meanwhile.

    Raises `NoServers`, and then nothing has changed.
    """
    servers = make(load(file))
    save(file, servers)
    return servers


def remembered(servers: Sequence[Known], server: Known) -> list[Known]:
    """Return the list with a server in it, in the place of one of its address."""
    others = [one for one in servers if one.url != server.url]
    names = {one.name for one in others}
    name, number = server.name, 2
    while name in names:
        name, number = f"{server.name} {number}", number + 1
    place = next((n for n, one in enumerate(servers) if one.url == server.url), len(others))
    return [*others[:place], replace(server, name=name), *others[place:]]


class Held(Exception):
    """The keyring would not let go of a token. The text says how to mend it."""


def keep(server: Known, token: str | None) -> Known:
    """Put a server's token away, or throw it away; return how the server is then to be remembered.

    Blocks for as long as the keyring takes. Raises `Held` for one that is not thrown away.
    """
    ring = _keyring()
    if token is None:
        if server.keeper == "keyring" and ring is not None:
            _drop(ring, server.url)
        return replace(server, keeper="", token=None)
    if ring is not None and _put(ring, server.url, token):
        return replace(server, keeper="keyring", token=None)
    return replace(server, keeper="file", token=token)


def token_of(server: Known) -> str | None:
    """Return a server's token, if it has one that is still there. Blocks, as `keep` does."""
    if server.keeper != "keyring":
        return server.token
    ring = _keyring()
    try:
        token = ring.get_password(APP, server.url) if ring is not None else None
    except Exception:
        # Whatever a keyring raises: locked, no D-Bus, the user said no.
        return None
    return str(token) if token else None


def token_for(file: Path, url: str) -> str | None:
    """Return the token of a remembered address; None where there is none or nothing is known."""
    try:
        known = next((one for one in load(file) if one.url == url), None)
    except NoServers:
        return None
    return token_of(known) if known else None


def _keyring() -> Any:
    """Return the system's keyring; None where there is no package or no keyring behind it."""
    try:
        import keyring
        from keyring.backends import fail, null
    except ImportError:
        return None
    ring = keyring.get_keyring()
    return None if isinstance(ring, fail.Keyring | null.Keyring) else ring


def _put(ring: Any, url: str, token: str) -> bool:
    try:
        ring.set_password(APP, url, token)
        kept = ring.get_password(APP, url) == token
    except Exception:
        return False
    return bool(kept)


def _drop(ring: Any, url: str) -> None:
    try:
        ring.delete_password(APP, url)
    except Exception as error:
        if _may_hold(ring, url):
            raise Held(
                f"the system's keyring still holds the token of {url} ({error}): unlock it and try "
                "again, or delete it there"
            ) from error


def _may_hold(ring: Any, url: str) -> bool:
    try:
        return ring.get_password(APP, url) is not None
    except Exception:
        return True  # A keyring that is locked doesn't tell.
