"""What a pool is told. Times in seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import Literal
from urllib.parse import urlsplit

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.http import HttpClientConfig
from orchestrator_kernel.models import require_identifier

__all__ = ["PoolConfig", "PoolKind", "kind_of"]

PoolKind = Literal["http", "redis", "sql"]

_KINDS: dict[str, PoolKind] = {
    "http": "http",
    "https": "http",
    "redis": "redis",
    "rediss": "redis",
    "unix": "redis",
    "valkey": "redis",
    "valkeys": "redis",
    "postgres": "sql",
    "postgresql": "sql",
    "sqlite": "sql",
    "mysql": "sql",
    "mariadb": "sql",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolConfig:
    """One pool of connections to one service, whatever it speaks.

    Attributes:
        name: Unique in a process; names the pool in statistics, errors and logs.
        url: `http(s)://`, `redis(s)://`, `unix://`, `valkey(s)://`, `postgresql://`, `sqlite://`, or one that names its driver; never shown by `repr`.
            Empty for an HTTP pool whose requests name their own addresses.
        size: Connections in use at one time.
        warm: Connections that `start` opens beforehand.
        acquire_seconds: How long a caller waits for a connection.
        connect_seconds: For a new connection.
        hold_seconds: Who keeps a connection longer is reported as a leak.
        idle_seconds: How long an idle connection may be used again without being tried (`ping="idle"`), or at all (HTTP).
        lifetime_seconds: A connection that is older is replaced (SQL).
        ping: When a connection is tried before it is given away: after it was idle for `idle_seconds`, always, or never (SQL).
        stacks: Remember where each connection was taken; for development, it costs some ten microseconds.
        health_path: What an HTTP health check asks for; it is not checked without.
        http: Further settings of an HTTP client; address, size and times above take precedence.

    Raises:
        ConfigurationError: A value is out of range, or the URL's scheme is unknown; the message says which.
    """

    name: str
    url: str = field(default="", repr=False)
    size: int = 20
    warm: int = 0
    acquire_seconds: float = 2.0
    connect_seconds: float = 5.0
    hold_seconds: float = 30.0
    idle_seconds: float = 30.0
    lifetime_seconds: float = 1800.0
    ping: Literal["idle", "always", "never"] = "idle"
    stacks: bool = False
    health_path: str | None = None
    http: HttpClientConfig | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        require_identifier(self.name, "pool name")
        for setting in (
            "size",
            "acquire_seconds",
            "connect_seconds",
            "hold_seconds",
            "idle_seconds",
            "lifetime_seconds",
        ):
            if not 0 < getattr(self, setting) < inf:
                raise ConfigurationError(
                    f"pool {self.name}: {setting} must be a positive number", details={"setting": setting}
                )
        if not 0 <= self.warm <= self.size:
            raise ConfigurationError(f"pool {self.name}: warm must be 0 to size", details={"setting": "warm"})


def kind_of(config: PoolConfig) -> PoolKind:
    """What the pool's URL speaks.

    Raises:
        ConfigurationError: Nothing that is known; says what is.
    """
    if not config.url:
        return "http"
    scheme = urlsplit(config.url).scheme.partition("+")[0]
    try:
        return _KINDS[scheme]
    except KeyError:
        raise ConfigurationError(
            f"pool {config.name}: {scheme or 'an URL without scheme'} is unknown; there is {', '.join(_KINDS)}",
            details={"setting": "url"},
        ) from None
