"""Counting, and what a scraper is given."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from collections.abc import Iterable

import prometheus_client
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as plain_text

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_monitoring.metrics import (
    AtMost,
    Counter,
    Gauge,
    Histogram,
    Metrics,
    OneOf,
    Registered,
    UnknownMetric,
)

CALLS = Counter("calls_total", "Calls.", labels={"tenant": Registered("tenants", 3), "outcome": OneOf("ok", "failed")})
BOOKED = Counter("bookings_total", "Bookings.")
SECONDS = Histogram("calls_duration_seconds", "How long.", unit="seconds", buckets=(0.1, 1.0, 2.5))
WAITING = Gauge("calls_waiting", "Calls that wait.", labels={"room": AtMost(2)})
ALL = (CALLS, BOOKED, SECONDS, WAITING)
TENANTS = frozenset({"north", "south", "east", "west"})


def made(**how: object) -> Metrics:
    return Metrics(ALL, registers={"tenants": TENANTS.__contains__}, **how)  # type: ignore[arg-type]


def values(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {(each.name, tuple(sorted(each.labels.items()))): each.value for each in metrics.read()}


def test_what_was_counted_is_scraped() -> None:
    metrics = made()
    metrics.counter(CALLS).labels("north", "ok").inc()
    metrics.counter(CALLS).labels("north", "ok").inc(2)
    gauge = metrics.gauge(WAITING).labels("hall")
    gauge.inc(5)
    gauge.dec(2)
    metrics.gauge(WAITING).labels("bar").set(7)
    found = values(metrics)
    assert found["calls_total", (("outcome", "ok"), ("tenant", "north"))] == 3
    assert found["calls_waiting", (("room", "hall"),)] == 3
    assert found["calls_waiting", (("room", "bar"),)] == 7


def test_a_series_without_labels_is_there_before_its_first_increase() -> None:
    found = values(made())
    assert found["bookings_total", ()] == 0
    assert found["calls_duration_seconds_count", ()] == 0


@given(st.lists(st.floats(min_value=0, max_value=1e9)))
def test_a_histogram_tells_what_was_observed(observed: list[float]) -> None:
    metrics = made()
    for value in observed:
        metrics.histogram(SECONDS).labels().observe(value)
    found = values(metrics)
    for bound in SECONDS.buckets:
        below = sum(value <= bound for value in observed)
        assert found["calls_duration_seconds_bucket", (("le", SECONDS.le(bound)),)] == below
    assert found["calls_duration_seconds_bucket", (("le", "+Inf"),)] == len(observed)
    assert found["calls_duration_seconds_count", ()] == len(observed)
    assert found["calls_duration_seconds_sum", ()] == pytest.approx(sum(observed))


@pytest.mark.parametrize("amount", [-1.0, float("nan"), float("inf")])
def test_a_counter_only_grows_and_a_sum_too(amount: float) -> None:
    metrics = made()
    with pytest.raises(ValueError, match="only grows"):
        metrics.counter(BOOKED).labels().inc(amount)
    with pytest.raises(ValueError, match="from zero up"):
        metrics.histogram(SECONDS).labels().observe(amount)
    assert values(metrics)["bookings_total", ()] == 0


def test_a_child_is_the_same_ever_after_and_asks_for_all_labels() -> None:
    metrics = made()
    family = metrics.counter(CALLS)
    assert family.labels("north", "ok") is family.labels("north", "ok")
    with pytest.raises(ValueError, match="tenant, outcome"):
        family.labels("north")


def test_what_is_out_of_bounds_is_counted_as_other() -> None:
    metrics = made()
    for tenant in ("north", "nobody", "south", "east", "west"):
        metrics.counter(CALLS).labels(tenant, "exploded").inc()
    for room in ("a", "b", "c", "d", "a"):
        metrics.gauge(WAITING).labels(room).inc()
    found = values(metrics)
    # "west" is known, but three names are told apart at most.
    assert found["calls_total", (("outcome", "other"), ("tenant", "other"))] == 2
    assert found["calls_total", (("outcome", "other"), ("tenant", "east"))] == 1
    assert found["calls_waiting", (("room", "a"),)] == 2
    assert found["calls_waiting", (("room", "other"),)] == 2


@given(st.lists(st.tuples(st.text(), st.text()), max_size=60))
def test_no_input_makes_more_series_than_were_declared(pairs: list[tuple[str, str]]) -> None:
    metrics = made()
    for tenant, outcome in pairs:
        metrics.counter(CALLS).labels(tenant, outcome).inc()
    counted = [each for each in metrics.read() if each.name == "calls_total"]
    assert len(counted) <= CALLS.most_series
    assert sum(each.value for each in counted) == len(pairs)


def test_a_label_that_needs_a_register_is_refused_without_it() -> None:
    with pytest.raises(ConfigurationError, match="tenants"):
        Metrics([CALLS])


def test_who_counts_a_metric_that_is_not_declared_here_is_told() -> None:
    metrics = Metrics([BOOKED])
    for other in (Counter("other_total", "Others."), Counter("bookings_total", "Other bookings.")):
        with pytest.raises(ConfigurationError, match="not among the declarations"):
            metrics.counter(other)


def test_threads_lose_no_count() -> None:
    metrics = made()
    counter, histogram = metrics.counter(BOOKED).labels(), metrics.histogram(SECONDS).labels()

    def count() -> None:
        for _ in range(5000):
            counter.inc()
            histogram.observe(0.5)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = values(metrics)
    assert found["bookings_total", ()] == 20_000
    assert found["calls_duration_seconds_sum", ()] == 10_000


@pytest.mark.parametrize(
    ("accept", "content_type", "parse"),
    [
        ("", "text/plain; version=0.0.4", plain_text),
        ("text/html", "text/plain; version=0.0.4", plain_text),
        ("text/plain;version=1.0.0", "text/plain; version=1.0.0", plain_text),
        ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", "application/openmetrics-text", open_metrics),
    ],
)
def test_the_scraper_chooses_the_format(accept: str, content_type: str, parse: object) -> None:
    metrics = made()
    metrics.counter(CALLS).labels("north", "ok").inc()
    metrics.histogram(SECONDS).labels().observe(0.5)
    scrape = metrics.scrape(accept)
    assert scrape.content_type.startswith(content_type)
    families = {family.name: family for family in parse(scrape.body.decode())}  # type: ignore[operator]
    assert families["calls_duration_seconds"].type == "histogram"
    assert [sample.value for sample in families["calls"].samples if sample.name == "calls_total"] == [1]


def exemplars(metrics: Metrics) -> dict[str, tuple[str, float]]:
    body = metrics.scrape("application/openmetrics-text;version=1.0.0").body.decode()
    return {
        sample.name + sample.labels.get("le", ""): (sample.exemplar.labels["trace_id"], sample.exemplar.value)
        for family in open_metrics(body)
        for sample in family.samples
        if sample.exemplar
    }


def test_a_bucket_shows_the_trace_of_its_last_value() -> None:
    recorded = ""
    metrics = made(trace_id=lambda: recorded)
    seconds = metrics.histogram(SECONDS).labels()
    seconds.observe(0.05)
    assert exemplars(metrics) == {}
    recorded = "0af7651916cd43dd8448eb211c80319c"
    seconds.observe(0.7)
    seconds.observe(99.0, trace_id="b" * 32)
    metrics.counter(BOOKED).labels().inc(trace_id="c" * 32)
    assert exemplars(metrics) == {
        "calls_duration_seconds_bucket1.0": (recorded, 0.7),
        "calls_duration_seconds_bucket+Inf": ("b" * 32, 99.0),
        "bookings_total": ("c" * 32, 1.0),
    }
    assert b"0af7651916" not in metrics.scrape("text/plain").body


async def test_a_long_scrape_is_written_aside_and_asks_on_the_loop() -> None:
    metrics, here, asked = made(), threading.get_ident(), list[int]()

    class Theirs:
        def collect(self) -> Iterable[prometheus_client.Metric]:
            asked.append(threading.get_ident())
            return []

    metrics.counter(CALLS).labels("north", "ok").inc()
    metrics.gauge(WAITING).labels("hall").follow(lambda: float(asked.append(threading.get_ident()) or 2))
    metrics.carry(Theirs(), [])
    assert (await metrics.scrape_aside()).body == metrics.scrape().body
    assert b'calls_waiting{room="hall"} 2.0' in metrics.scrape().body
    assert set(asked) == {here}


async def test_the_loop_goes_on_while_a_great_many_series_are_written() -> None:
    many = Counter("rooms_total", "Rooms.", labels={"room": AtMost(30_000)})
    metrics = Metrics([many])
    for number in range(30_000):
        metrics.counter(many).labels(str(number)).inc()
    steps = 0
    scrape = asyncio.create_task(metrics.scrape_aside())
    while not scrape.done():
        await asyncio.sleep(0.001)
        steps += 1
    # One step would do if it were written on the loop.
    assert steps >= 5
    assert scrape.result().body.count(b"\nrooms_total{") == 30_000


def test_ten_thousand_names_make_no_more_series_than_were_declared() -> None:
    metrics, dice = made(), random.Random(3)
    for _ in range(10_000):
        tenant = "".join(dice.choices("abcdefgh", k=8))
        metrics.counter(CALLS).labels(dice.choice([tenant, *TENANTS]), dice.choice([tenant, "ok"])).inc()
    counted = [each for each in metrics.read() if each.name == "calls_total"]
    assert len(counted) <= CALLS.most_series == 12
    assert sum(each.value for each in counted) == 10_000


def test_a_gauge_may_ask_at_every_scrape() -> None:
    metrics = made()
    queue = ["one"]
    metrics.gauge(WAITING).labels("hall").follow(lambda: len(queue))
    assert values(metrics)["calls_waiting", (("room", "hall"),)] == 1
    queue.append("two")
    assert values(metrics)["calls_waiting", (("room", "hall"),)] == 2


def test_what_cannot_be_read_does_not_take_the_rest_from_the_scrape(caplog: pytest.LogCaptureFixture) -> None:
    metrics = made()

    def broken() -> float:
        raise ConnectionError("the database is down")

    class Broken:
        def collect(self) -> Iterable[prometheus_client.Metric]:
            raise ConnectionError("the database is down")

    metrics.counter(BOOKED).labels().inc()
    metrics.gauge(WAITING).labels("hall").follow(broken)
    metrics.carry(Broken(), [])
    with caplog.at_level(logging.ERROR):
        found = values(metrics)
    assert found["bookings_total", ()] == 1
    assert ("calls_waiting", (("room", "hall"),)) not in found
    assert values(metrics)["orchestrator_metrics_unread_total", ()] >= 2
    assert "could not be read" in caplog.text


def test_metrics_of_another_library_are_carried_along_as_they_are_declared() -> None:
    metrics = made()
    theirs = prometheus_client.CollectorRegistry()
    counter = prometheus_client.Counter("pool_waits", "Waits.", ["pool"], registry=theirs)
    counter.labels("main").inc(3)
    metrics.carry(theirs, [Counter("pool_waits_total", "Waits.", labels={"pool": AtMost(5)})])
    found = values(metrics)
    assert found["pool_waits_total", (("pool", "main"),)] == 3
    assert not [name for name, _ in found if name.endswith("_created")]


def test_a_carried_metric_that_is_not_declared_is_not_exported(caplog: pytest.LogCaptureFixture) -> None:
    metrics = made()
    theirs = prometheus_client.CollectorRegistry()
    prometheus_client.Counter("pool_waits", "Waits.", registry=theirs).inc()
    metrics.carry(theirs, [])
    with caplog.at_level(logging.ERROR):
        assert ("pool_waits_total", ()) not in values(metrics)
    assert any(isinstance(record.exc_info[1], UnknownMetric) for record in caplog.records if record.exc_info)


def test_a_carried_metric_cannot_have_the_name_of_another() -> None:
    metrics = made()
    theirs = prometheus_client.CollectorRegistry()
    metrics.carry(theirs, [Counter("pool_waits_total", "Waits.")])
    for taken in (BOOKED, Counter("pool_waits_total", "Waits.")):
        with pytest.raises(ConfigurationError, match="scraped as"):
            metrics.carry(theirs, [taken])
