"""The pure parts: figures, charts, tiles."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from console_host import firing, objective, status
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_console import ConsoleConfig
from orchestrator_console._board import Latency, Policies, Sections, Tile, call_tiles, latency_of
from orchestrator_console._charts import histogram, latency_chart, sparkline
from orchestrator_console._format import age, clock_time, counted, duration, percent, share
from orchestrator_console._readings import Reading
from orchestrator_kernel.models import HealthState, Severity
from orchestrator_kernel.ports.operations import CallSummary, DependencyPolicy, ObjectiveState

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
LATENCIES = st.lists(st.floats(0, 100_000), max_size=80)


@given(LATENCIES, st.floats(1, 10_000))
def test_every_turn_is_in_one_bin(values: list[float], target: float) -> None:
    bins = histogram(values, target)
    assert sum(each.count for each in bins) == len(values)
    assert all(0 <= each.share <= 1 for each in bins)
    assert len(bins) == 7


@given(st.lists(st.one_of(st.none(), st.floats(0, 100_000)), max_size=80), st.floats(1, 10_000))
def test_bars_stand_inside_the_chart_and_keep_their_order(values: list[float | None], target: float) -> None:
    chart = latency_chart(values, target)
    known = [value for value in values if value is not None]
    assert len(chart.bars) == len(known)
    for bar, value in zip(chart.bars, known, strict=True):
        assert 44 <= bar.x <= bar.x + bar.width <= chart.width + 1e-6
        assert 0 <= bar.y <= bar.y + bar.height <= chart.height
        assert bar.slow == (value > target)
    assert 0 <= chart.target_y <= chart.height
    taller = sorted(zip(known, chart.bars, strict=True), key=lambda each: each[0])
    assert all(low[1].height <= high[1].height for low, high in pairwise(taller))


@given(LATENCIES, st.floats(1, 10_000))
def test_a_sparkline_stays_in_its_box(values: list[float], target: float) -> None:
    points, line = sparkline(values, target)
    for point in points.split():
        x, y = (float(each) for each in point.split(","))
        assert 0 <= x <= 72
        assert 0 <= y <= 18
    assert 0 <= line <= 18


@given(st.floats(0, 1))
def test_a_promise_that_was_missed_never_reads_as_kept(value: float) -> None:
    shown = float(percent(value))
    assert shown <= value * 100 + 1e-6
    assert shown >= value * 100 - 0.0002


@given(st.integers(-10_000_000, 10_000_000))
def test_ages_have_a_unit_and_a_direction(seconds: int) -> None:
    words = age(NOW - timedelta(seconds=seconds), NOW)
    assert words.endswith(" ago") == (seconds >= 0)
    assert words.startswith("in ") == (seconds < 0)


def test_figures_read_as_people_write_them() -> None:
    assert duration(NOW, NOW + timedelta(seconds=3_725)) == "1:02:05"
    assert duration(NOW, NOW - timedelta(seconds=5)) == "0:00"
    assert clock_time(NOW, NOW + timedelta(days=1)) == "01-01 12:00:00"
    assert share(-0.294) == "\N{MINUS SIGN}29"


def call(latencies: tuple[float, ...] = ()) -> CallSummary:
    return CallSummary(
        id="c", tenant="t", state="active", is_open=True, started_at=NOW, updated_at=NOW, latencies_ms=latencies
    )


def test_the_latency_is_of_all_turns_of_the_open_calls() -> None:
    calls = Reading((call((100.0, 200.0)), call((900.0,)), call()))
    found = latency_of(calls, ConsoleConfig())
    assert (found.turns, found.median, found.p95) == (3, 200.0, 900.0)
    assert call_tiles(calls, found, ConsoleConfig())[1] == Tile(
        "Turn latency", "200 ms", "p95 900 ms", "warn", "#calls"
    )


def test_figures_without_anything_to_count_say_so() -> None:
    nothing = latency_of(Reading(), ConsoleConfig())
    assert nothing == Latency(0, None, None, nothing.bins)
    assert call_tiles(Reading(), nothing, ConsoleConfig())[1].note == "no turns yet"
    assert call_tiles(Reading(problem="gone"), nothing, ConsoleConfig()) == [
        Tile("Open calls", "?", "not available", "bad", "#calls")
    ]


def tiles(**parts: object) -> dict[str, Tile]:
    from orchestrator_console._board import Board, Sources

    given: dict[str, object] = {"alerts": None, "health": None, "objectives": None, "policies": None, "audit": None}
    config = ConsoleConfig()
    sources = Sources(config, None, alerts=None, health=None, objectives=None, policies=None, audit=None)  # type: ignore[arg-type]
    found = Board(config, None, sources).tiles(None, Sections(**{**given, **parts}))  # type: ignore[arg-type]
    return {tile.href: tile for tile in found}


def test_the_alert_tile_is_loud_only_while_nobody_takes_care() -> None:
    loud = firing("a", "a", Severity.CRITICAL)
    taken = firing("b", "b", Severity.CRITICAL, acknowledged_by="zoe")
    assert tiles(alerts=Reading((loud, taken)))["#alerts"] == Tile(
        "Alerts firing", "2", "1 unacknowledged", "bad", "#alerts"
    )
    assert tiles(alerts=Reading((taken,)))["#alerts"].tone == "warn"
    assert tiles(alerts=Reading())["#alerts"].tone == "good"


def test_the_other_tiles_tell_the_worst() -> None:
    health = Reading((status("a"), status("b", HealthState.DEGRADED)))
    assert tiles(health=health)["#health"].value == "degraded"
    budget = tiles(objectives=Reading((objective(), objective(title="API", budget_left=0.1))))["#objectives"]
    assert (budget.value, budget.note, budget.tone) == ("10 %", "API", "warn")
    dependencies = Reading((DependencyPolicy(name="tts", circuit="open"), DependencyPolicy(name="db")))
    assert tiles(policies=Policies(dependencies, Reading()))["#policies"].value == "1 of 1"


def test_the_budget_tile_judges_only_objectives_with_enough_events() -> None:
    few = objective(state=ObjectiveState.TOO_FEW_EVENTS, achieved=0.0, budget_left=None, events=1, min_events=20)
    assert tiles(objectives=Reading((few,)))["#objectives"] == Tile(
        "Error budget", "\N{EN DASH}", "too few events", "", "#objectives"
    )
    both = tiles(objectives=Reading((few, objective(title="API", budget_left=0.9))))["#objectives"]
    assert (both.note, both.tone) == ("API", "good")


def test_one_is_not_many() -> None:
    assert [counted(number, "turn") for number in (0, 1, 2)] == ["0 turns", "1 turn", "2 turns"]


def test_a_tile_of_a_source_that_fails_does_not_look_well() -> None:
    broken: Reading[object] = Reading(problem="no answer")
    found = tiles(alerts=broken, health=broken, objectives=broken, policies=Policies(broken, broken))  # type: ignore[arg-type]
    assert {tile.tone for tile in found.values()} == {"bad"}
