"""`orchestrator slo`: the objectives, how they stand, and the same as rules for Prometheus."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestrator_app.cli._print import print_json, print_table
from orchestrator_app.cli._settings import load_settings
from orchestrator_app.composition.secrets import load_secrets
from orchestrator_kernel.exceptions import OrchestratorError
from orchestrator_kernel.http import HttpClientConfig, create_client, http_errors

__all__ = ["ask_service", "run_check", "run_list", "run_rules", "run_status"]


def run_list(*, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Every objective, and when somebody is told."""
    from orchestrator_app.composition.slo import configured_slos  # noqa: PLC0415 - loads the metrics
    from orchestrator_monitoring.slo_monitor import duration_text  # noqa: PLC0415

    slos = configured_slos(load_settings(config, data_dir=data).value).slos
    if as_json:
        rules = {slo.name: [_rule(rule.severity, rule.factor, rule.long) for rule in slo.burn_rules] for slo in slos}
        print_json(
            [
                {
                    "name": slo.name,
                    "objective": slo.objective,
                    "window_seconds": slo.window,
                    "description": slo.description,
                    "alerts": rules[slo.name],
                }
                for slo in slos
            ]
        )
        return
    rows = [
        (
            slo.name,
            f"{slo.objective * 100:g} % in {duration_text(slo.window)}",
            ", ".join(_rule(rule.severity, rule.factor, rule.long) for rule in slo.burn_rules),
            slo.description,
        )
        for slo in slos
    ]
    print_table("Objectives", ["name", "objective", "alerts", "what"], rows)


def _rule(severity: str, factor: float, long: int) -> str:
    from orchestrator_monitoring.slo_monitor import duration_text  # noqa: PLC0415 - loaded by the caller

    return f"{severity} at {factor:g}x over {duration_text(long)}"


def run_status(*, config: Path | None, data: Path | None, url: str | None, as_json: bool) -> None:
    """How the objectives of a running service stand."""
    statuses, budgets, burns = asyncio.run(
        ask_service(config, data, url, ("GET", "/slo/status"), ("GET", "/slo/error-budget"), ("GET", "/slo/burn-rate"))
    )
    if as_json:
        print_json({"status": statuses, "error_budget": budgets, "burn_rate": burns})
        return
    by_budget, by_burn = ({each["name"]: each for each in some} for some in (budgets, burns))
    rows = [_status_row(each, by_budget[each["name"]], by_burn[each["name"]]) for each in statuses]
    print_table("Objectives", ["name", "status", "good", "budget left", "burn", "spent"], [row[:-1] for row in rows])
    # Sentences in a column of their own leave no room for figures.
    for name, *_, note in rows:
        if note:
            print(f" {name}: {note}")  # noqa: T201


def _status_row(status: Mapping[str, Any], budget: Mapping[str, Any], burn: Mapping[str, Any]) -> tuple[str, ...]:
    good = "no events" if status["sli"] is None else f"{status['sli']:.3%} of {status['events']:.0f}"
    rates = " ".join(f"{each['window']} {each['rate']:.1f}x" for each in burn["windows"] if each["rate"] >= 0.05)
    ahead = budget["forecast"]["expected"]
    spent = "" if ahead is None else datetime.fromisoformat(ahead).astimezone(UTC).strftime("%Y-%m-%d %H:%MZ")
    state = status["status"] + (f", {', '.join(status['firing'])} fires" if status["firing"] else "")
    return (status["name"], state, good, f"{budget['remaining']:.1%}", rates or "0", spent, status["note"])


def run_rules(*, config: Path | None, data: Path | None, tests: Path | None) -> None:
    """The objectives as a rule file for Prometheus, on standard output; with `tests`, unit tests for promtool in a folder, and the rules there, too."""
    from orchestrator_app.composition.slo import configured_slos  # noqa: PLC0415 - loads the metrics
    from orchestrator_monitoring.slo_monitor import prometheus_rules, rule_test_files  # noqa: PLC0415

    slos = configured_slos(load_settings(config, data_dir=data).value)
    text = prometheus_rules(slos)
    if tests is None:
        sys.stdout.write(text)
        return
    files = {"rules.yml": text, **rule_test_files(slos, "rules.yml")}
    try:
        tests.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (tests / name).write_text(content, encoding="utf-8")
    except OSError as error:
        raise OrchestratorError(f"{tests} cannot be written: {error.strerror}") from None
    print_table("Written", ["file"], [(str(tests / name),) for name in files])


def run_check(files: Sequence[Path], *, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Read files of objectives and rules, or those that the settings name; a bad one is refused with file, line and reason."""
    import os  # noqa: PLC0415 - with its one use

    from orchestrator_app.composition.alerting import configured_alerting  # noqa: PLC0415 - loads the metrics
    from orchestrator_app.composition.metrics import CATALOGUE  # noqa: PLC0415
    from orchestrator_app.composition.slo import configured_slos  # noqa: PLC0415
    from orchestrator_monitoring.alerting import load_alerting  # noqa: PLC0415
    from orchestrator_monitoring.slo_monitor import load_slos  # noqa: PLC0415

    if files:
        slos = load_slos(*(each for each in files if not _holds_rules(each)), catalogue=CATALOGUE).slos
        rules = [
            rule
            for each in files
            if _holds_rules(each)
            for rule in load_alerting(each, catalogue=CATALOGUE, environment=os.environ).rules
        ]
    else:
        settings = load_settings(config, data_dir=data).value
        slos, rules = configured_slos(settings).slos, list(configured_alerting(settings).rules)
    found = {"objectives": [each.name for each in slos], "rules": [each.name for each in rules]}
    if as_json:
        print_json(found)
    else:
        print_table("Good", ["kind", "name"], [(kind, name) for kind, names in found.items() for name in names])


def _holds_rules(file: Path) -> bool:
    """A TOML file of alert rules, routes or receivers, and not of objectives."""
    try:
        text = file.read_text(encoding="utf-8") if file.suffix == ".toml" else ""
    except (OSError, UnicodeDecodeError):
        return False
    return "[[slo]]" not in text and any(f"[[{each}]]" in text for each in ("rule", "route", "receiver", "sla"))


async def ask_service(
    config: Path | None,
    data: Path | None,
    url: str | None,
    *requests: tuple[str, str],
    body: Mapping[str, object] | None = None,
) -> list[Any]:
    """What a running service answers.

    Raises:
        OrchestratorError: It cannot be reached, or refuses; says why.
    """
    settings = load_settings(config, data_dir=data).value
    secrets = load_secrets(settings)
    where = url or f"http://{settings.server.host}:{settings.server.port}"
    headers = {"authorization": f"Bearer {secrets.access_token.get_secret_value()}"}
    answers: list[Any] = []
    async with create_client(HttpClientConfig(base_url=where, headers=headers, read_timeout=20.0)) as http:
        for method, path in requests:
            with http_errors(f"the service at {where}"):
                response = await http.request(method, path, json=body)
            if response.is_error:
                raise OrchestratorError(f"{path}: {response.json().get('detail') or response.status_code}")
            answers.append(response.json())
    return answers
