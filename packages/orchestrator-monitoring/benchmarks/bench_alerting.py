"""What an evaluation of a thousand alerts costs: next to reading them from where they are kept, and whether it grows with their number alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from orchestrator_kernel.models import Severity
from orchestrator_monitoring._alerting.documents import dump_record, load_record
from orchestrator_monitoring.alerting import Book, Condition, Inhibition, Route, Routing, advance, step
from orchestrator_monitoring.slo_monitor import Counts, Matcher, default_slos, judge
from orchestrator_performance.benchmarking import Bench, Contender, Gate, Report, compare

NOW = 1_900_000_000.0
MANY = 1000
INHIBITION = Inhibition((Matcher("severity", "=", "critical"),), (Matcher("severity", "=~", "low|medium"),), ("part",))
ROUTING = Routing((Route(name="all", receivers=("ops", "log"), group_by=("alertname", "zone")),), (INHIBITION,))


def conditions(count: int) -> list[Condition]:
    """Half of them may inhibit the other half."""
    severities = (Severity.CRITICAL, Severity.MEDIUM)
    return [
        Condition(
            rule=f"rule_{number % 7}",
            severity=severities[number % 2],
            labels={"part": str(number), "zone": str(number % 3)},
            summary="Something is wrong",
        )
        for number in range(count)
    ]


def settled(found: Sequence[Condition]) -> Book:
    """A book in which all of them fire and everybody was told."""
    book = Book({}, {})
    for seconds in (0.0, 60.0, 120.0):
        alerts = advance(book.alerts, found, judged=None, now=NOW + seconds)
        change = step(book, alerts, ROUTING, NOW + seconds)
        book = Book(alerts, {**book.groups, **change.groups})
    return book


def evaluation(count: int, times: int = 1) -> Callable[[], None]:
    """One evaluation in which nothing is new."""
    found = conditions(count)
    book = settled(found)

    def evaluate() -> None:
        for _ in range(times):
            alerts = advance(book.alerts, found, judged=None, now=NOW + 150)
            if step(book, alerts, ROUTING, NOW + 150).notices:
                raise AssertionError("nothing is new")

    return evaluate


def beside_reading() -> Report:
    texts = [dump_record(each) for each in settled(conditions(MANY)).alerts.values()]
    return compare(
        f"an evaluation of {MANY} alerts that fire",
        baseline=Contender("read them as JSON", lambda: [load_record(text) for text in texts]),
        contenders=[Contender("evaluate", evaluation(MANY))],
        gates={"evaluate": Gate(at_most=2.0)},
    )


def growth() -> Report:
    return compare(
        f"how an evaluation grows: {MANY} alerts to ten times {MANY // 10}",
        baseline=Contender(f"ten times {MANY // 10}", evaluation(MANY // 10, 10)),
        contenders=[Contender(f"{MANY} at once", evaluation(MANY))],
        gates={f"{MANY} at once": Gate(at_most=1.5)},
    )


def judging() -> Report:
    slos = default_slos().slos
    counts = {slo.name: {window: Counts(3.0, 1000.0) for window in slo.windows} for slo in slos}

    def judge_all() -> None:
        for slo in slos:
            judge(slo, counts[slo.name])

    texts = [dump_record(each) for each in settled(conditions(10)).alerts.values()]
    return compare(
        "judging nine objectives",
        baseline=Contender("read ten alerts as JSON", lambda: [load_record(text) for text in texts]),
        contenders=[Contender("judge", judge_all)],
    )


def benches() -> Iterable[Bench]:
    yield beside_reading
    yield growth
    yield judging
