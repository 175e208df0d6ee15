"""Where to start from: the queues and the rate limits of a service that handles voice calls, as each environment wants them.

The pipelines of its dependencies are `pipeline_config.SERVICE_DEFAULTS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from orchestrator_resilience._validation import one_of
from orchestrator_resilience.config import OverflowStrategy, QueueConfig
from orchestrator_resilience.pipeline_config import Profile
from orchestrator_resilience.rate_limit_rules import RateLimitRule
from orchestrator_resilience.rate_limiter import parse_limits

__all__ = ["QUEUE_DEFAULTS", "RATE_RULES", "queue_for_profile", "rules_for_profile"]

_MEGABYTE = 1024 * 1024
_PROFILES: tuple[Profile, ...] = ("production", "staging", "development")
_RATES: Mapping[Profile, float] = {"production": 0.8, "staging": 1.0, "development": 1.5}


def _queue(items: int, megabytes: int, strategy: OverflowStrategy, seconds: float) -> QueueConfig:
    return QueueConfig(max_items=items, max_bytes=megabytes * _MEGABYTE, strategy=strategy, max_wait_seconds=seconds)


QUEUE_DEFAULTS: Mapping[str, QueueConfig] = MappingProxyType(
    {
        "tts_synthesis": _queue(100, 50, "adaptive", 30),
        "audio_streaming": _queue(200, 100, "drop-oldest", 10),
        "pms_operations": _queue(50, 25, "block", 20),
        "webhook_processing": _queue(500, 200, "adaptive", 15),
        "gdpr_operations": _queue(30, 15, "block", 60),
    }
)

RATE_RULES: tuple[RateLimitRule, ...] = (
    RateLimitRule("default", limits="100/minute; 1000/hour; 10000/day"),
    RateLimitRule("anonymous", limits="20/minute; 200/hour; 1000/day", client_class="anonymous"),
    RateLimitRule("authenticated", limits="200/minute; 2000/hour; 20000/day", client_class="authenticated"),
    RateLimitRule("login", limits="5/minute; 20/hour; 100/day", route="/auth/login"),
    RateLimitRule(
        "login-anonymous", limits="5/minute; 20/hour; 100/day", route="/auth/login", client_class="anonymous"
    ),
    RateLimitRule("register", limits="3/minute; 10/hour; 50/day", route="/auth/register"),
    RateLimitRule(
        "register-anonymous", limits="3/minute; 10/hour; 50/day", route="/auth/register", client_class="anonymous"
    ),
    RateLimitRule("calls", limits="500/minute; 5000/hour; 50000/day", route="/v1/call/*"),
    RateLimitRule(
        "calls-authenticated",
        limits="500/minute; 5000/hour; 50000/day",
        route="/v1/call/*",
        client_class="authenticated",
    ),
    RateLimitRule("gdpr", limits="30/minute; 300/hour; 1000/day", route="/v1/gdpr/*"),
    RateLimitRule(
        "gdpr-authenticated", limits="30/minute; 300/hour; 1000/day", route="/v1/gdpr/*", client_class="authenticated"
    ),
)
"""For an admission that tells the classes `anonymous` and `authenticated`. A class comes before a route, so a route that has limits of its own for
a class says so. Webhooks have routes of many names: add a rule with `200/minute; 2000/hour; 20000/day` for each."""


def queue_for_profile(config: QueueConfig, profile: Profile) -> QueueConfig:
    """Production holds less (x0.7), so that it refuses sooner what it could not do in time.

    Raises:
        ConfigurationError: No such profile.
    """
    one_of("profile", profile, _PROFILES)
    if profile != "production":
        return config
    return replace(
        config,
        max_items=max(1, int(config.max_items * 0.7)),
        max_bytes=None if config.max_bytes is None else max(1, int(config.max_bytes * 0.7)),
    )


def rules_for_profile(rules: tuple[RateLimitRule, ...], profile: Profile) -> tuple[RateLimitRule, ...]:
    """Production allows less (x0.8), development more (x1.5); no limit falls below one.

    Raises:
        ConfigurationError: No such profile.
    """
    one_of("profile", profile, _PROFILES)
    return tuple(replace(rule, limits=_scaled(rule.limits, _RATES[profile])) for rule in rules)


def _scaled(limits: str, factor: float) -> str:
    scaled = ((max(1, int(item.amount * factor)), item) for item in parse_limits(limits))
    return "; ".join(f"{amount} per {item.multiples} {item.GRANULARITY.name}" for amount, item in scaled)
