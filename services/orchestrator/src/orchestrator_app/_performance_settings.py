"""What the application keeps in memory, how many connections it holds, and when it says that it is short of something."""

from __future__ import annotations

from pydantic import Field, SecretStr

from orchestrator_app._setting_types import Seconds
from orchestrator_config import Settings

__all__ = ["PerformanceSettings"]


class PerformanceSettings(Settings):
    """Connections, caches, memory, and the process's own measures."""

    database_connections: int = Field(default=10, ge=2, le=1000, description="To each database, in use at one time.")
    warm_connections: int = Field(
        default=1,
        ge=0,
        le=100,
        description="Opened to each database server at the start, before anybody waits for one.",
    )
    http_connections: int = Field(
        default=100, ge=1, le=10_000, description="To each service that is asked over HTTP, in use at one time."
    )
    hold_seconds: Seconds = Field(
        default=120.0, description="Who keeps a connection for longer is reported, as it may never give it back."
    )
    stacks: bool = Field(
        default=False, description="Remember where each connection was taken, for that report; costs some microseconds."
    )
    speech_cache: bool = Field(default=True, description="Whether spoken sentences are kept, to be spoken again.")
    cache_items: int = Field(default=5_000, ge=1, le=10_000_000, description="Sentences kept in memory.")
    cache_bytes: int = Field(default=64 * 1024 * 1024, ge=1024, description="What they may take there.")
    cache_seconds: Seconds = Field(default=3600.0, description="How long a sentence is kept.")
    cache_url: SecretStr | None = Field(
        default=None,
        description="redis:// or valkey://: a second level, sealed, that all processes share; none when absent.",
    )
    cache_wait: float = Field(
        default=0.05,
        gt=0,
        le=10,
        description="Seconds that an answer of that second level is waited for; then it is a miss.",
    )
    cache_connections: int = Field(default=20, ge=1, le=10_000, description="To that second level.")
    memory_mb: int = Field(default=1024, ge=64, description="What the process may hold; above it, caches shrink.")
    tune_gc: bool = Field(
        default=True,
        description="Leave what is there after the start out of garbage collections, and collect less often.",
    )
    interval: Seconds = Field(default=10.0, description="Between two samples of the process.")
    cpu_percent: float = Field(default=90.0, gt=0, le=10_000, description="Of one core; more is told as an alert.")
    alerting: bool = Field(default=True, description="Whether measures that are too high are told at all.")
