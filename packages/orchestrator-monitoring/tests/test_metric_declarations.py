"""What a metric may be called, and what the catalogue knows of it."""

from __future__ import annotations

import pytest

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_monitoring.metrics import (
    OWN_METRICS,
    AtMost,
    Catalogue,
    Counter,
    Gauge,
    Histogram,
    Metric,
    OneOf,
    Registered,
    UnknownMetric,
)

SECONDS = Histogram(
    "calls_duration_seconds", "How long.", unit="seconds", labels={"tenant": Registered("tenants")}, buckets=(1.0, 2.5)
)
CALLS = Counter("calls_total", "Calls.", labels={"outcome": OneOf("ok", "failed")})
WAITING = Gauge("calls_waiting", "Calls that wait.", across="max")


@pytest.mark.parametrize(
    ("kind", "name", "why"),
    [
        (Counter, "calls", "ends in `_total`"),
        (Gauge, "calls_total", "must not end in"),
        (Histogram, "calls_count", "must not end in"),
        (Counter, "calls_count_total", "must not end in"),
        (Gauge, "Calls", "lower-case"),
        (Gauge, "calls__waiting", "lower-case"),
        (Gauge, "2_calls", "lower-case"),
        (Gauge, "calls:rate", "lower-case"),
        (Gauge, "calls_gauge", "what the type says"),
        (Counter, "", "lower-case"),
    ],
)
def test_a_name_that_prometheus_would_refuse_is_refused_when_it_is_declared(
    kind: type[Metric], name: str, why: str
) -> None:
    with pytest.raises(ConfigurationError, match=why):
        kind(name, "Something.")


def test_the_unit_is_in_the_name() -> None:
    with pytest.raises(ConfigurationError, match="_seconds"):
        Histogram("calls_duration", "How long.", unit="seconds")
    assert Counter("calls_audio_seconds_total", "Audio.", unit="seconds").family == "calls_audio_seconds"


def test_every_metric_says_what_it_tells() -> None:
    with pytest.raises(ConfigurationError, match="help"):
        Gauge("calls_waiting", " ")


@pytest.mark.parametrize("label", ["le", "job", "Tenant", "a-b", "", "__name__"])
def test_a_label_that_prometheus_keeps_for_itself_is_refused(label: str) -> None:
    with pytest.raises(ConfigurationError, match="label"):
        Gauge("calls_waiting", "Calls.", labels={label: AtMost(3)})


@pytest.mark.parametrize("buckets", [(), (2.0, 1.0), (1.0, 1.0), (1.0, float("inf")), (float("nan"),)])
def test_buckets_rise_and_are_finite(buckets: tuple[float, ...]) -> None:
    with pytest.raises(ConfigurationError, match=r"buckets|\+Inf"):
        Histogram("calls_duration_seconds", "How long.", buckets=buckets)


def test_a_bound_without_room_is_refused() -> None:
    for make in (lambda: AtMost(0), lambda: Registered("tenants", limit=0), OneOf):
        with pytest.raises(ConfigurationError):
            make()


def test_what_is_counted_at_most_is_known_beforehand() -> None:
    assert CALLS.most_series == 3
    assert SECONDS.most_series == 1001
    assert WAITING.most_series == 1


def test_a_metric_is_found_by_every_name_under_which_it_is_scraped() -> None:
    catalogue = Catalogue([SECONDS], [CALLS, WAITING])
    assert catalogue.find("calls_duration_seconds_bucket") is SECONDS
    assert catalogue.labels_of("calls_duration_seconds_bucket") == {"tenant", "le"}
    assert catalogue.labels_of("calls_duration_seconds_count") == {"tenant"}
    assert catalogue.find("calls_total") is CALLS
    assert "calls_waiting" in catalogue
    assert "calls_duration_seconds" not in catalogue
    assert catalogue.find("calls") is None
    assert len(catalogue) == 3


def test_who_names_an_unknown_metric_is_told_what_comes_nearest() -> None:
    catalogue = Catalogue([SECONDS, CALLS])
    assert catalogue.require("calls_total", "outcome") is CALLS
    with pytest.raises(UnknownMetric, match="did you mean calls_total"):
        catalogue.require("call_total")
    with pytest.raises(UnknownMetric, match="histogram, use calls_duration_seconds_bucket"):
        catalogue.require("calls_duration_seconds")
    with pytest.raises(UnknownMetric, match=r"no label hotel, it has outcome|no label hotel; it has outcome"):
        catalogue.require("calls_total", "hotel")


def test_two_metrics_cannot_be_scraped_under_one_name() -> None:
    for other in (CALLS, Gauge("calls", "Calls."), Gauge("calls_duration_seconds", "Other.")):
        with pytest.raises(ConfigurationError, match="two metrics would be scraped as"):
            Catalogue([CALLS, SECONDS], [other])


def test_a_bucket_is_named_as_it_is_scraped_or_refused() -> None:
    assert [SECONDS.le(bound) for bound in (1, 2.5, float("inf"))] == ["1.0", "2.5", "+Inf"]
    with pytest.raises(ConfigurationError, match=r"no bucket that ends at 2; the nearest ends at 2\.5"):
        SECONDS.le(2.2 - 0.2)


def test_the_table_has_a_line_for_every_metric() -> None:
    lines = Catalogue([SECONDS, CALLS, WAITING], OWN_METRICS).table().splitlines()
    assert len(lines) == 2 + 3 + len(OWN_METRICS)
    assert "| `calls_total` | counter |  | `outcome`: `ok`, `failed`, `other` | Calls. |" in lines
    assert any("max of processes" in line for line in lines)
    assert any("known tenants, at most 1000; `other`" in line for line in lines)
