"""The generated rules, judged by Prometheus's own tool: they are valid, fire at their thresholds, and say what the embedded back end says."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from promtool_support import Scrapes, counted_slo, embedded, judge_rules, promtool, random_scrapes, values
from slo_support import DAY, slo

from orchestrator_monitoring._slo.rules import ratio_series, rule_groups
from orchestrator_monitoring.slo_monitor import (
    BurnRule,
    LatencyIndicator,
    Maintenance,
    Selector,
    Slo,
    SloSet,
    default_slos,
    prometheus_rules,
    rule_test_files,
    standard_rules,
)

HOUR = 3600


def write(folder: Path, slos: SloSet) -> list[str]:
    (folder / "rules.yml").write_text(prometheus_rules(slos))
    files = rule_test_files(SloSet(slos.slos), "rules.yml")
    for name, text in files.items():
        (folder / name).write_text(text)
    return list(files)


def odd_slos() -> SloSet:
    """What the defaults do not have: 28 days, 7 days, a latency with matchers, odd texts."""
    latency = LatencyIndicator(Selector.parse('answer_seconds{route=~"/x|/y",method!="OPTIONS"}'), 3.0)
    return SloSet(
        (
            slo(
                0.9995,
                name="month",
                window=28 * DAY,
                description='Says "hello" {{ $labels }} \\ and é',
                runbook="https://x/?a=1#b",
            ),
            Slo(name="week", indicator=latency, objective=0.95, window=7 * DAY, min_events=50),
            slo(0.5, name="half", rules=standard_rules(30 * DAY, objective=0.5)),
        )
    )


@pytest.mark.parametrize("slos", [default_slos(), odd_slos()], ids=["defaults", "others"])
def test_every_rule_file_is_valid_and_every_alert_fires_at_its_threshold(slos: SloSet, tmp_path: Path) -> None:
    files = write(tmp_path, slos)
    checked = promtool("check", "rules", "rules.yml", folder=tmp_path)
    assert checked.returncode == 0, checked.stderr
    judge_rules(*files, folder=tmp_path)
    cases = "".join((tmp_path / name).read_text() for name in files)
    for made in slos.slos:
        for rule in made.burn_rules:
            for share in ("101%", "99%"):
                case = f"{made.name} SloBurnRate"
                assert case in cases, rule
                assert f"{share} of the threshold" in cases


def test_the_tests_would_notice_a_wrong_threshold(tmp_path: Path) -> None:
    files = write(tmp_path, SloSet((slo(),)))
    rules = (tmp_path / "rules.yml").read_text()
    assert "> 0.0144 " in rules
    (tmp_path / "rules.yml").write_text(rules.replace("> 0.0144 ", "> 0.0147 "))
    assert promtool("test", "rules", *files, folder=tmp_path).returncode != 0


def test_a_page_at_90_per_cent_can_never_fire_says_prometheus_too(tmp_path: Path) -> None:
    """Why such an objective is refused: the rule that it would be, under a total outage."""
    rule = {"alert": "Page", "expr": "sum(increase(b_total[1h])) / sum(increase(a_total[1h])) > 14.4 * 0.1"}
    case = {
        "interval": "1m",
        "input_series": [{"series": each, "values": "0+10x60"} for each in ("a_total", "b_total")],
        "alert_rule_test": [{"eval_time": "1h", "alertname": "Page", "exp_alerts": []}],
    }
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "g", "rules": [rule]}]}))
    (tmp_path / "tests.yml").write_text(
        json.dumps({"rule_files": ["rules.yml"], "evaluation_interval": "1h", "tests": [case]})
    )
    assert promtool("test", "rules", "tests.yml", folder=tmp_path).returncode == 0


QUICK = (
    BurnRule(factor=14.4, long=HOUR, short=300, severity="page"),
    BurnRule(factor=6, long=6 * HOUR, short=1800, severity="page"),
)
SLOW = (BurnRule(factor=1, long=3 * DAY, short=DAY, severity="ticket"),)


async def _expectations(made: Slo, scrapes: Scrapes, maintenance: tuple[Maintenance, ...]) -> list[object]:
    """For each window: Prometheus's error ratio is ours, within 0.1 %."""
    found: list[object] = []
    for window, counts in (await embedded(made, scrapes, maintenance)).items():
        if window > scrapes.span:
            continue  # nothing was recorded for it
        series = f'{ratio_series(window)}{{slo="{made.name}"}}'
        ratio = made.indicator.error_ratio(counts)
        if ratio is None:
            found.append({"expr": series, "eval_time": f"{scrapes.span}s", "exp_samples": []})
            continue
        samples = [{"labels": f'{{slo="{made.name}"}}', "value": 1}]
        query = f"abs({series} - {ratio!r}) <= bool {max(ratio * 0.001, 1e-12)!r}"
        found.append({"expr": query, "eval_time": f"{scrapes.span}s", "exp_samples": samples})
    return found


async def _agree(
    folder: Path, rng: random.Random, rules: tuple[BurnRule, ...], *, step: int, count: int, series: int, maintenance=()
) -> int:
    """How many figures were compared; all of them agree."""
    tests: list[object] = []
    compared = 0
    slos = SloSet(tuple(counted_slo(number, rules, good=number % 5 == 0) for number in range(50)), maintenance)
    edges = {each for made in slos.slos[:1] for each in made.windows}
    for _ in range(series // len(slos.slos)):
        inputs: list[object] = []
        expected: list[object] = []
        for number, made in enumerate(slos.slos):
            scrapes = random_scrapes(rng, step=step, count=count, edges=edges, failing=0.0 if maintenance else 0.05)
            for name, counter in (("part", scrapes.part), ("all", scrapes.total)):
                inputs.append({"series": f'{name}_total{{number="{number}"}}', "values": values(counter)})
            expected += await _expectations(made, scrapes, maintenance)
        compared += len(expected)
        tests.append({"interval": f"{step}s", "input_series": inputs, "promql_expr_test": expected})
    groups = rule_groups(slos)
    if maintenance:
        # promtool loads 10,000 samples a query, and a server 50 million: the steps of 30 days are too many for the tool.
        groups = [each for each in groups if "budget" not in json.dumps(each["name"])]
    (folder / "rules.yml").write_text(json.dumps({"groups": groups}))
    document = {"rule_files": ["rules.yml"], "evaluation_interval": f"{step * (count - 1)}s", "tests": tests}
    (folder / "tests.yml").write_text(json.dumps(document))
    judge_rules("tests.yml", folder=folder)
    return compared


async def test_both_back_ends_agree_on_a_thousand_random_series(tmp_path: Path) -> None:
    rng = random.Random(11)
    quick = await _agree(tmp_path, rng, QUICK, step=60, count=361, series=600)
    slow = await _agree(tmp_path, rng, SLOW, step=HOUR, count=721, series=400)
    assert (quick, slow) == (600 * 4, 400 * 3)


async def test_both_back_ends_leave_out_a_maintenance_alike(tmp_path: Path) -> None:
    windows = (Maintenance(5.2 * HOUR, 5.4 * HOUR), Maintenance(5.9 * HOUR, 5.95 * HOUR), Maintenance(0, HOUR))
    # Two scrapes a minute: a minute is the step in which Prometheus leaves it out.
    compared = await _agree(tmp_path, random.Random(12), QUICK, step=30, count=721, series=50, maintenance=windows)
    assert compared == 50 * 4
