"""What a console can be told."""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestrator_kernel.exceptions import ConfigurationError

__all__ = ["ConsoleConfig", "Permissions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """What somebody must hold (`resource:verb`) for each part; all but the calls are of the platform, not of a tenant."""

    calls: str = "call:view"
    test_calls: str = "call:start"
    health: str = "system:monitor"
    alerts: str = "system:monitor"
    answer_alerts: str = "alert:acknowledge"
    objectives: str = "slo:view"
    policies: str = "resilience:view"
    audit: str = "audit:read"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleConfig:
    """How the console looks and how often it asks. Times in seconds.

    Attributes:
        title: The name of what is operated; stands in the header and in the browser's tab.
        turn_target_ms: A turn that takes longer is marked as slow.
        push: At least this long between two messages to one browser, however much happens.
        refresh: After this long everything is read again, whether something was told or not.
        read_limit: How long one source may take, before the page says that it did not answer.
        check_viewer: How often an open page asks whether its session still holds.
        max_streams: How many pages may be open at once.
        max_calls: How many calls a list shows.
        audit_events: How many audit events are shown.

    Raises:
        ConfigurationError: A value is out of range.
    """

    title: str = "Orchestrator"
    turn_target_ms: float = 800.0
    push: float = 0.5
    refresh: float = 3.0
    read_limit: float = 2.0
    check_viewer: float = 15.0
    max_streams: int = 200
    max_calls: int = 200
    audit_events: int = 40
    permissions: Permissions = field(default_factory=Permissions)

    def __post_init__(self) -> None:
        names = ("turn_target_ms", "push", "refresh", "read_limit", "check_viewer", "max_streams", "max_calls")
        for name in (*names, "audit_events"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ConfigurationError(f"{name} must be a positive number", details={"setting": name})
