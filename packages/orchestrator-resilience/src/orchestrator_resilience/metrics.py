"""Prometheus metrics of every state change and decision (extra `[metrics]`).

What the user types:

    metrics = ResilienceMetrics(registry)
    manager = ResilienceManager(configs, observers=[metrics.changed], decision_observers=[metrics.decided])
    metrics.watch(manager)

What has a state is read when somebody scrapes, so a call that goes well costs nothing. Labels are bounded: states, policies and decisions are
fixed words, and of names of dependencies the first `max_names` are told, all others are `other`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, get_args

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from orchestrator_resilience._bulkhead import Bulkhead, BulkheadSnapshot
from orchestrator_resilience._queue import BoundedQueue
from orchestrator_resilience._queue_models import QueueSnapshot
from orchestrator_resilience._retry_budget import RetryBudget
from orchestrator_resilience._throttle import ClientThrottle
from orchestrator_resilience._validation import count
from orchestrator_resilience.circuit_breaker import BreakerSnapshot, BreakerState, CircuitBreaker, Transition
from orchestrator_resilience.events import DECISIONS, Decision
from orchestrator_resilience.manager import ResilienceManager

__all__ = ["ResilienceMetrics"]

PREFIX = "orchestrator_resilience"
_STATES: tuple[str, ...] = get_args(BreakerState)
# From ten milliseconds to the longest pause that a server may ask for by default.
_PAUSES = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

Watched = ResilienceManager | CircuitBreaker | Bulkhead | BoundedQueue[Any] | ClientThrottle | RetryBudget


class ResilienceMetrics(Collector):
    """Counts what it is told, and reads what it watches at each scrape.

    Args:
        registry: Where the metrics are registered. One object for a registry.
        max_names: Names of dependencies that are told apart.

    Raises:
        ConfigurationError: `max_names` is out of range.
        ValueError: The registry has these metrics already.
    """

    def __init__(self, registry: CollectorRegistry, *, max_names: int = 100) -> None:
        count("max_names", max_names)
        self._max_names = max_names
        self._names: set[str] = set()
        self._watched: list[Watched] = []
        self._decisions = Counter(
            f"{PREFIX}_decisions_total",
            "Decisions of policies, by what they decided.",
            ["dependency", "policy", "decision"],
            registry=registry,
        )
        self._transitions = Counter(
            f"{PREFIX}_breaker_transitions_total",
            "Changes of a circuit's state.",
            ["dependency", "old", "new"],
            registry=registry,
        )
        self._pauses = Histogram(
            f"{PREFIX}_retry_pause_seconds",
            "Pauses before retries.",
            ["dependency"],
            buckets=_PAUSES,
            registry=registry,
        )
        self._children: dict[tuple[str, ...], Any] = {}
        registry.register(self)

    def watch(self, *watched: Watched) -> None:
        """Read the state of these, too, at every scrape; of a manager its breakers, bulkheads and budget, which is told once."""
        for each in watched:
            budget = each.budget if isinstance(each, ResilienceManager) else None
            self._watched += [one for one in (each, budget) if one is not None and one not in self._watched]

    def decided(self, decision: Decision) -> None:
        """A `DecisionObserver`."""
        name = self._name(decision.dependency)
        word = decision.decision if decision.decision in DECISIONS[decision.policy] else "other"
        self._child(self._decisions, "decisions", name, decision.policy, word).inc()
        if decision.policy == "retry" and decision.seconds is not None:
            self._child(self._pauses, "pauses", name).observe(decision.seconds)

    def changed(self, transition: Transition) -> None:
        """An `Observer` of circuit breakers."""
        name = self._name(transition.breaker)
        self._child(self._transitions, "transitions", name, transition.old, transition.new).inc()

    def _child(self, metric: Counter | Histogram, kind: str, *labels: str) -> Any:
        """Bound once: to look one up by its labels costs five times as much as to count."""
        child = self._children.get((kind, *labels))
        if child is None:
            child = self._children[kind, *labels] = metric.labels(*labels)
        return child

    def _name(self, name: str) -> str:
        if name in self._names or len(self._names) < self._max_names:
            self._names.add(name)
            return name
        return "other"

    # -- read at each scrape

    def describe(self) -> Iterable[Metric]:
        """The families without samples, so that registering reads nothing."""
        return _Families().all

    def collect(self) -> Iterator[Metric]:
        """All that is watched, now."""
        families = _Families()
        for each in self._watched:
            if isinstance(each, ResilienceManager):
                self._read_manager(families, each)
            elif isinstance(each, CircuitBreaker):
                families.breaker(self._name(each.name), each.snapshot())
            elif isinstance(each, Bulkhead):
                families.bulkhead(self._name(each.name), each.snapshot())
            elif isinstance(each, BoundedQueue):
                families.queue(self._name(each.name), each.snapshot())
            elif isinstance(each, ClientThrottle):
                families.throttled.add_metric([self._name(each.name)], each.refusal_probability)
            else:
                families.budget(each)
        yield from families.all

    def _read_manager(self, families: _Families, manager: ResilienceManager) -> None:
        for name, snapshot in manager.snapshot().items():
            told = self._name(name)
            for outcome, calls in snapshot.outcomes.items():
                families.calls.add_metric([told, outcome], calls)
            if snapshot.breaker is not None:
                families.breaker(told, snapshot.breaker)
            if snapshot.bulkhead is not None:
                families.bulkhead(told, snapshot.bulkhead)


class _Families:
    """The samples of one scrape."""

    def __init__(self) -> None:
        self.all: list[Metric] = []
        gauge, counter = self._maker(GaugeMetricFamily), self._maker(CounterMetricFamily)
        self.calls = counter("calls", "Calls through a pipeline, by what decided them.", "outcome")
        self.state = gauge("breaker_state", "1 for the present state of a circuit, 0 for the others.", "state")
        self.window = gauge("breaker_window_calls", "Calls in the present window of a closed circuit.", "kind")
        self.refusals = counter("breaker_refusals", "Calls that a circuit has refused.")
        self.openings = counter("breaker_openings", "How often a circuit has opened.")
        self.limit = gauge("bulkhead_limit_calls", "Calls that may run together.")
        self.running = gauge("bulkhead_running_calls", "Calls under way.")
        self.waiting = gauge("bulkhead_waiting_calls", "Calls that wait for a place.")
        self.sheds = counter("bulkhead_sheds", "Calls that got no place.")
        self.items = gauge("queue_items", "Items in a queue.")
        self.bytes = gauge("queue_bytes", "Bytes in a queue, if they are counted.")
        self.blocked = gauge("queue_blocked_producers", "Producers that wait for room.")
        self.drops = counter("queue_drops", "Items that will not be delivered.")
        self.refused_items = counter("queue_refusals", "Items that were not taken.")
        self.throttled = gauge("throttle_refusal_ratio", "Probability with which the next call is refused here.")
        self.balance = self._add(
            GaugeMetricFamily(f"{PREFIX}_budget_balance_retries", "Retries that could be made now.")
        )
        self.first = self._add(CounterMetricFamily(f"{PREFIX}_budget_first_attempts", "Calls that have paid in."))
        self.taken = self._add(CounterMetricFamily(f"{PREFIX}_budget_retries", "Retries and hedges paid for."))
        self.refused = self._add(
            CounterMetricFamily(f"{PREFIX}_budget_refusals", "Retries and hedges not made for want of budget.")
        )

    def _add(self, family: Any) -> Any:
        self.all.append(family)
        return family

    def _maker(self, kind: Any) -> Callable[..., Any]:
        def make(name: str, documentation: str, *labels: str) -> Any:
            return self._add(kind(f"{PREFIX}_{name}", documentation, labels=["dependency", *labels]))

        return make

    def breaker(self, name: str, snapshot: BreakerSnapshot) -> None:
        for state in _STATES:
            self.state.add_metric([name, state], float(snapshot.state == state))
        for kind, calls in (("all", snapshot.calls), ("failed", snapshot.failures), ("slow", snapshot.slow)):
            self.window.add_metric([name, kind], calls)
        self.refusals.add_metric([name], snapshot.refused)
        self.openings.add_metric([name], snapshot.opened)

    def bulkhead(self, name: str, snapshot: BulkheadSnapshot) -> None:
        self.limit.add_metric([name], snapshot.limit)
        self.running.add_metric([name], snapshot.running)
        self.waiting.add_metric([name], snapshot.waiting)
        self.sheds.add_metric([name], snapshot.shed)

    def queue(self, name: str, snapshot: QueueSnapshot) -> None:
        self.items.add_metric([name], snapshot.items)
        self.bytes.add_metric([name], snapshot.bytes)
        self.blocked.add_metric([name], snapshot.blocked)
        self.drops.add_metric([name], snapshot.dropped)
        self.refused_items.add_metric([name], snapshot.refused)

    def budget(self, budget: RetryBudget) -> None:
        """Without a label: the process has one. With several, their sums."""
        for family, value in (
            (self.balance, budget.balance),
            (self.first, budget.first_attempts),
            (self.taken, budget.taken),
            (self.refused, budget.refused),
        ):
            if family.samples:
                family.samples[0] = family.samples[0]._replace(value=family.samples[0].value + value)
            else:
                family.add_metric([], value)
