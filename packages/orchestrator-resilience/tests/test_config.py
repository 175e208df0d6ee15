"""Wrong settings are refused when they are made, with the name, the value and what is allowed."""

from __future__ import annotations

import pytest

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_resilience.config import CircuitBreakerConfig


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("window", "sliding"),
        ("window_calls", 0),
        ("window_calls", 2.5),
        ("minimum_calls", True),
        ("probes", -1),
        ("recovery_seconds", 0),
        ("recovery_seconds", float("nan")),
        ("window_seconds", float("inf")),
        ("probe_lease_seconds", "10"),
        ("failure_rate", 1.01),
        ("failure_rate", 0),
        ("slow_call_seconds", -0.1),
        ("excluded", ("OSError",)),
        ("included", (7,)),
    ],
)
def test_a_value_out_of_range_names_setting_value_and_allowed_forms(setting, value):
    with pytest.raises(ConfigurationError) as refusal:
        CircuitBreakerConfig(**{setting: value})
    details = refusal.value.details
    assert details["setting"] == setting
    assert setting in str(refusal.value)
    assert str(details["value"]) in str(refusal.value)
    assert str(details["allowed"]) in str(refusal.value)


def test_a_window_that_never_reaches_the_minimum_of_calls_is_refused():
    with pytest.raises(ConfigurationError, match="minimum_calls"):
        CircuitBreakerConfig(window_calls=10, minimum_calls=11)
    CircuitBreakerConfig(window="time", window_calls=10, minimum_calls=11)
