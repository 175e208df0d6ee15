"""One dependency's policies together, and the defaults of the services that a voice call depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal, TypeAlias

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_resilience._validation import one_of, positive, refuse
from orchestrator_resilience.config import BulkheadConfig, CircuitBreakerConfig, HedgeConfig, RetryConfig
from orchestrator_resilience.rate_limiter import Strategy, parse_limits

__all__ = ["ORDER", "SERVICE_DEFAULTS", "PipelineConfig", "PolicyName", "Profile", "for_profile"]

PolicyName: TypeAlias = Literal["deadline", "rate_limit", "bulkhead", "breaker", "retry", "hedge", "time_limit"]
Profile: TypeAlias = Literal["production", "staging", "development"]

ORDER: tuple[PolicyName, ...] = ("deadline", "rate_limit", "bulkhead", "breaker", "retry", "hedge", "time_limit")

# What has to be outside of what, and why. The breaker may be inside the retry: then every attempt counts.
_OUTSIDE: tuple[tuple[PolicyName, PolicyName, str], ...] = (
    ("deadline", "rate_limit", "everything that follows takes of its time"),
    ("rate_limit", "bulkhead", "a call that is over its rate must not take a place"),
    ("bulkhead", "breaker", "a call that waits for a place must not hold a probe's permit"),
    ("bulkhead", "retry", "a call keeps its place while it is tried again"),
    ("breaker", "hedge", "two requests of one call are one outcome"),
    ("retry", "hedge", "each attempt is hedged, and not the pauses"),
    ("hedge", "time_limit", "each request has its own time"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineConfig:
    """What protects the calls to one dependency. What is None is left out. Times in seconds.

    Attributes:
        deadline_seconds: Everything together, waiting and retries included.
        rate_limit: Limits of our own calls, in limits' notation.
        rate_strategy: As for `RateLimiter`.
        bulkhead: How many run together.
        breaker: When the dependency is left alone.
        retry: What is tried again.
        hedge: When a second request is sent; only for idempotent calls.
        time_limit_seconds: Each single request.
        order: From the outside in.

    Raises:
        ConfigurationError: Two of them contradict each other; the message says how.
    """

    deadline_seconds: float | None = None
    rate_limit: str | None = None
    rate_strategy: Strategy = "gcra"
    bulkhead: BulkheadConfig | None = None
    breaker: CircuitBreakerConfig | None = None
    retry: RetryConfig | None = None
    hedge: HedgeConfig | None = None
    time_limit_seconds: float | None = None
    order: tuple[PolicyName, ...] = ORDER

    def __post_init__(self) -> None:
        for name in ("deadline_seconds", "time_limit_seconds"):
            if getattr(self, name) is not None:
                positive(name, getattr(self, name))
        if self.rate_limit is not None:
            parse_limits(self.rate_limit)
        self._check_order()
        self._check_times()
        if self.hedge is not None and (self.retry is None or not self.retry.idempotent):
            raise refuse(
                "hedge",
                self.hedge,
                "a hedge only with a retry that says idempotent=True: both requests may take effect",
            )

    def _check_order(self) -> None:
        if sorted(self.order) != sorted(ORDER):
            raise refuse("order", self.order, f"each of {', '.join(ORDER)}, once")
        for outer, inner, why in _OUTSIDE:
            if self.order.index(outer) > self.order.index(inner):
                raise refuse("order", self.order, f"{outer} outside of {inner}: {why}")

    def _check_times(self) -> None:
        """No policy may count on more time than the one around it has."""
        retry, hedge, breaker, bulkhead = self.retry, self.hedge, self.breaker, self.bulkhead
        request, everything = self.time_limit_seconds, self.deadline_seconds
        inside: tuple[tuple[str, float | None, str, float | None], ...] = (
            ("time_limit_seconds", request, "deadline_seconds", everything),
            ("retry.total_seconds", retry.total_seconds if retry else None, "deadline_seconds", everything),
            ("retry.attempt_seconds", retry.attempt_seconds if retry else None, "deadline_seconds", everything),
            ("retry.base_seconds", retry.base_seconds if retry else None, "deadline_seconds", everything),
            (
                "bulkhead.max_wait_seconds",
                bulkhead.max_wait_seconds if bulkhead else None,
                "deadline_seconds",
                everything,
            ),
            ("hedge.delay_seconds", hedge.delay_seconds if hedge else None, "time_limit_seconds", request),
            (
                "time_limit_seconds",
                request,
                "breaker.probe_lease_seconds",
                breaker.probe_lease_seconds if breaker else None,
            ),
        )
        for name, seconds, outer_name, outer in inside:
            if seconds is not None and outer is not None and seconds > outer:
                raise ConfigurationError(
                    f"{name} is {seconds:g}, longer than {outer_name} ({outer:g})",
                    details={"setting": name, "value": seconds, "allowed": f"at most {outer_name} ({outer:g})"},
                )


def _service(failures: int, recovery: float, probes: int, seconds: float) -> PipelineConfig:
    breaker = CircuitBreakerConfig(
        window="consecutive", consecutive_failures=failures, recovery_seconds=recovery, probes=probes
    )
    return PipelineConfig(breaker=breaker, time_limit_seconds=seconds, bulkhead=BulkheadConfig(limit=100))


SERVICE_DEFAULTS: Mapping[str, PipelineConfig] = MappingProxyType(
    {
        "tts_service": _service(5, 60, 3, 30),
        "pms_connector": _service(3, 30, 2, 15),
        "livekit_service": _service(5, 45, 3, 20),
        "vault_service": _service(3, 20, 2, 10),
        "external_api": _service(5, 60, 3, 25),
    }
)


def for_profile(config: PipelineConfig, profile: Profile) -> PipelineConfig:
    """The configuration as an environment wants it.

    Production trips sooner (one failure less, at least 3), recovers later (30 s more, at most 120 s), waits in shorter lines (x0.7) and gives a
    request 10 s more (at most 60 s). Development trips later (two failures more) and recovers sooner (20 s less, at least 10 s). Staging is as
    configured.

    Raises:
        ConfigurationError: No such profile, or the values scaled contradict each other.
    """
    one_of("profile", profile, ("production", "staging", "development"))
    if profile == "staging":
        return config
    production = profile == "production"
    changed = config
    if config.breaker is not None:
        failures, recovery = config.breaker.consecutive_failures, config.breaker.recovery_seconds
        breaker = replace(
            config.breaker,
            consecutive_failures=max(min(failures, 3), failures - 1) if production else failures + 2,
            recovery_seconds=max(recovery, min(120.0, recovery + 30))
            if production
            else min(recovery, max(10.0, recovery - 20)),
        )
        changed = replace(changed, breaker=breaker)
    if config.bulkhead is not None and production:
        shorter = replace(config.bulkhead, max_waiting=int(config.bulkhead.max_waiting * 0.7))
        changed = replace(changed, bulkhead=shorter)
    if config.time_limit_seconds is not None and production:
        seconds = max(config.time_limit_seconds, min(60.0, config.time_limit_seconds + 10))
        changed = replace(changed, time_limit_seconds=seconds)
    return changed
