"""The values to start from, and what an environment makes of them."""

from __future__ import annotations

import pytest

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import AdmissionRequest
from orchestrator_resilience.defaults import QUEUE_DEFAULTS, RATE_RULES, queue_for_profile, rules_for_profile
from orchestrator_resilience.rate_limit_rules import RateLimitAdmission

MEGABYTE = 1024 * 1024


def test_the_queues():
    told = {
        name: (each.max_items, each.max_bytes // MEGABYTE, each.strategy, each.max_wait_seconds)
        for name, each in QUEUE_DEFAULTS.items()
    }
    assert told == {
        "tts_synthesis": (100, 50, "adaptive", 30),
        "audio_streaming": (200, 100, "drop-oldest", 10),
        "pms_operations": (50, 25, "block", 20),
        "webhook_processing": (500, 200, "adaptive", 15),
        "gdpr_operations": (30, 15, "block", 60),
    }
    production = queue_for_profile(QUEUE_DEFAULTS["tts_synthesis"], "production")
    assert (production.max_items, production.max_bytes) == (70, 35 * MEGABYTE)
    assert queue_for_profile(production, "development") == production


@pytest.mark.parametrize(
    ("profile", "anonymous", "login"), [("production", 16, 4), ("staging", 20, 5), ("development", 30, 7)]
)
async def test_the_rules_hold_for_whom_they_are_meant(profile, anonymous, login):
    admission = RateLimitAdmission(
        rules_for_profile(RATE_RULES, profile),
        classify=lambda request: "anonymous" if request.client.startswith("ip:") else "authenticated",
    )

    async def admitted(client: str, route: str) -> int:
        asked = [await admission.admit(AdmissionRequest(route=route, client=client)) for _ in range(1000)]
        return sum(each.allowed for each in asked)

    assert await admitted("ip:1.2.3.4", "/v1/things") == anonymous
    assert await admitted("ip:1.2.3.4", "/auth/login") == login
    assert await admitted("id:ada", "/v1/call/{id}/event") > await admitted("id:ada", "/v1/gdpr/{id}") > 20


def test_an_unknown_profile_is_refused():
    for scaled in (
        lambda: queue_for_profile(QUEUE_DEFAULTS["pms_operations"], "qa"),
        lambda: rules_for_profile((), "qa"),
    ):
        with pytest.raises(ConfigurationError, match="profile"):
            scaled()
