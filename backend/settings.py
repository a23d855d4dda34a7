"""The environment, checked once.

Each setting is a field; ``STT_SERVER_`` and its name in capitals is the variable, ``--`` and
its name with dashes the flag, which wins. A bad value stops the start with the variable's name,
what it held and what is allowed.
"""

import argparse
import re
import secrets
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import platformdirs
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    ValidationError,
)

from backend.secret import key_of
from common.profile import DEFAULT, NAME

PREFIX = "STT_SERVER_"
PLAIN = {"log_level": "LOG_LEVEL", "log_format": "LOG_FORMAT"}
"""Settings whose variables go without the prefix."""
SECRETS = {"auth_token", "webhook_url", "webhook_secret", "redis_url", "postgres_url"}
"""Settings that are never told: they hold passwords."""
SCHEMES = {
    "webhook_url": ("http", "https"),
    "redis_url": ("redis", "rediss", "unix"),
    "postgres_url": ("postgresql", "postgres"),
}
"""What the URLs of sinks may begin with."""
APP = "realtime-mlx-stt"


class BadSettings(ValueError):
    """The environment or the flags hold something that can't be. The text says what and why."""


def _listed(value: object) -> object:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _fits_a_header(token: str) -> str:
    if not re.fullmatch(r"[\x21-\x7e]*", token):
        raise ValueError(
            "a token goes into a header: letters, digits and signs of ASCII, no spaces"
        )
    return token


class Settings(BaseModel):
    """What the server was told. Durations are in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(8000, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""
    debug: bool = False
    """Tell the details of crashes to clients."""
    auto_start: bool = False
    """Start listening with the default profile at once."""
    auth_enabled: bool = False
    """Want a token from everyone."""
    auth_token: Annotated[str, AfterValidator(_fits_a_header)] = Field("", repr=False)
    """The token: visible ASCII, without spaces."""
    insecure: bool = False
    """Listen beyond this machine without a token."""
    announce: bool = True
    """Tell the local network of this server (mDNS), if it listens beyond this machine."""
    cors_origins: Annotated[list[str], BeforeValidator(_listed)] = []
    """Origins of web pages, besides the server's own, that may come in; * allows all."""
    trusted_proxies: Annotated[list[IPvAnyNetwork], BeforeValidator(_listed)] = []
    """Addresses or networks of proxies whose X-Forwarded-For is believed."""
    profiles_dir: Path = Path(platformdirs.user_config_dir(APP)) / "profiles"
    """Folder of saved profiles."""
    data_dir: Path = Path(platformdirs.user_data_dir(APP))
    """Folder of the server's own data."""
    default_profile: str = Field(DEFAULT, pattern=f"^{NAME.pattern}$")
    """The profile to start with when none is named."""
    max_body_mb: int = Field(64, ge=1, le=4096)
    """Largest request body, in MiB."""
    max_audio_seconds: float = Field(3600, gt=0)
    """Longest recording for transcribe, in seconds."""
    max_base64_mb: int = Field(16, ge=1, le=4096)
    """Largest audio_data in a JSON body, in MiB of base64."""
    max_uploads: int = Field(8, ge=1, le=1000)
    """Recordings that are transcribed at a time."""
    max_requests: float = Field(50, ge=0, le=1_000_000)
    """Requests a second from one address, on average over 4 s; 0 is no limit."""
    max_sessions: int = Field(16, ge=1, le=10_000)
    """Sessions open at a time."""
    max_connections: int = Field(1000, ge=1, le=100_000)
    """WebSocket clients at a time."""
    history: bool = True
    """Write down what is said, in data_dir."""
    history_days: float = Field(90, ge=0, le=100_000)
    """Days for which history is kept; 0 is for ever."""
    history_mb: int = Field(1024, ge=0, le=10_000_000)
    """Largest size of history, kept sound included, in MiB; 0 is no limit."""
    webhook_url: str = Field("", repr=False)
    """Where each final is posted to."""
    webhook_secret: str = Field("", repr=False)
    """Signs what is posted, after Standard Webhooks: whsec_ and base64, or any text."""
    webhook_hours: float = Field(72, gt=0, le=10_000)
    """Hours for which a final is tried before it is put aside."""
    redis_url: str = Field("", repr=False)
    """A Redis that is told of finals and live events: redis://HOST, rediss:// or unix://."""
    redis_prefix: str = Field("stt:", max_length=100)
    """What the names of its stream and channel begin with."""
    cluster: str = Field("", pattern=r"^[A-Za-z0-9._-]{0,64}$")
    """Name shared by servers that are one to their clients, by way of redis_url; empty is none."""
    postgres_url: str = Field("", repr=False)
    """A PostgreSQL that finals are written to: postgresql://USER:PASSWORD@HOST/DATABASE."""
    model_idle_seconds: float = Field(900, ge=0, le=604_800)
    """Seconds after which a model that nobody uses is unloaded; 0 keeps it."""
    leave_seconds: float = Field(10, ge=0, le=300)
    """How long speech in progress may take to be finished when the server is stopped."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """What is worth a line in the log."""
    log_format: Literal["text", "json"] = "text"
    """How a line in the log looks."""

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


def variable(field: str) -> str:
    """Return the environment variable of a setting."""
    return PLAIN.get(field, PREFIX + field.upper())


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Give a parser one flag a setting, with the setting's docstring as its help."""
    for name, field in Settings.model_fields.items():
        how: dict[str, Any] = {"default": None, "help": f"{field.description} [{variable(name)}]"}
        if field.annotation is bool:
            how["action"] = argparse.BooleanOptionalAction
        else:
            how["metavar"] = name.split("_")[-1].upper()
        parser.add_argument("--" + name.replace("_", "-"), dest=name, **how)


def load(environment: Mapping[str, str], flags: Mapping[str, Any] | None = None) -> Settings:
    """Return the settings that the environment and the flags describe. Raises `BadSettings`."""
    told: dict[str, Any] = {}
    for name in Settings.model_fields:
        value = environment.get(variable(name), "")
        if value.strip():
            told[name] = value.strip().upper() if name == "log_level" else value.strip()
    told |= {name: value for name, value in (flags or {}).items() if value is not None}
    try:
        settings = Settings.model_validate(told)
    except ValidationError as error:
        raise BadSettings(_explained(error)) from error
    _check_protection(settings)
    _check_sinks(settings)
    _check_cluster(settings)
    return settings


def _explained(error: ValidationError) -> str:
    lines = []
    for fault in error.errors(include_url=False):
        name = str(fault["loc"][0])
        held = "its value" if name in SECRETS else repr(fault["input"])
        flag = name.replace("_", "-")
        lines.append(f"{variable(name)} (or --{flag}) holds {held}: {fault['msg']}")
    return "\n".join(lines)


def _check_protection(settings: Settings) -> None:
    if settings.auth_enabled and not settings.auth_token:
        raise BadSettings(
            "STT_SERVER_AUTH_ENABLED is set but STT_SERVER_AUTH_TOKEN is empty; set a token, "
            f"for instance this new one:\n  STT_SERVER_AUTH_TOKEN={secrets.token_urlsafe(24)}"
        )
    if not settings.loopback and not settings.auth_enabled and not settings.insecure:
        raise BadSettings(
            f"refusing to listen on {settings.host} without a token: anyone on the network could "
            "listen in. Either set a token, for instance this new one:\n"
            f"  STT_SERVER_AUTH_ENABLED=true STT_SERVER_AUTH_TOKEN={secrets.token_urlsafe(24)}\n"
            "or, on a network you trust, say --insecure."
        )
    if settings.trusted_proxies and not settings.auth_enabled and not settings.insecure:
        raise BadSettings(
            "STT_SERVER_TRUSTED_PROXIES is set, so others come in through a proxy, and without a "
            "token anyone could listen in. Either set a token, for instance this new one:\n"
            f"  STT_SERVER_AUTH_ENABLED=true STT_SERVER_AUTH_TOKEN={secrets.token_urlsafe(24)}\n"
            "or, where the proxy lets nobody in whom you don't trust, say --insecure."
        )


def _check_sinks(settings: Settings) -> None:
    try:
        key_of(settings.webhook_secret)
    except ValueError as error:
        raise BadSettings(f"{variable('webhook_secret')} holds no secret: {error}") from error
    for name, schemes in SCHEMES.items():
        url = getattr(settings, name)
        if not url:
            continue
        if not _is_url(url, schemes):
            told = " or ".join(f"{one}://" for one in schemes)
            raise BadSettings(f"{variable(name)} holds no URL that begins with {told}")
        if not settings.history:
            raise BadSettings(
                f"{variable(name)} is set but {variable('history')} is false: sinks are told what "
                "history holds; switch it on, or unset the URL"
            )


def _check_cluster(settings: Settings) -> None:
    if not settings.cluster:
        return
    if not settings.redis_url:
        raise BadSettings(
            f"{variable('cluster')} is set but {variable('redis_url')} is empty: the servers of a "
            "cluster share what they hear by way of a Redis; name it, such as redis://HOST:6379"
        )
    if find_spec("redis") is None:
        raise BadSettings(
            f"{variable('cluster')} wants redis-py: pip install 'realtime-mlx-stt[sinks]'"
        )


def _is_url(url: str, schemes: Sequence[str]) -> bool:
    try:
        parsed = urlsplit(url)
        return parsed.scheme in schemes and bool(parsed.netloc or parsed.path.strip("/"))
    except ValueError:
        return False


def without_defaults(arguments: argparse.Namespace, names: Sequence[str]) -> dict[str, Any]:
    """Return the flags that were given, of those that are settings."""
    return {
        name: getattr(arguments, name)
        for name in names
        if getattr(arguments, name, None) is not None
    }
