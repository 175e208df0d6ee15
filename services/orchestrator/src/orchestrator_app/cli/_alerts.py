"""`orchestrator alerts`: what fires in a running service, answering it, and trying the receivers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator_app.cli._print import print_json, print_table
from orchestrator_app.cli._slo import ask_service
from orchestrator_kernel.exceptions import OrchestratorError

__all__ = ["run_acknowledge", "run_list", "run_silence", "run_test"]


def run_list(*, config: Path | None, data: Path | None, url: str | None, as_json: bool) -> None:
    """Every alert that is pending, fires, or ended within the hour."""
    (found,) = asyncio.run(ask_service(config, data, url, ("GET", "/monitoring/alerts")))
    if as_json:
        print_json(found["alerts"])
        return
    rows = [_row(each) for each in found["alerts"]]
    print_table("Alerts", ["id", "severity", "state", "since", "what", "answer"], rows, empty="nothing is wrong")


def _row(alert: Mapping[str, Any]) -> tuple[str, ...]:
    answer = f"{alert['acknowledged_by']} takes care of it" if alert["acknowledged_by"] else ""
    if alert["silenced_until"]:
        answer = f"{answer}, silent until {alert['silenced_until']}".lstrip(", ")
    since = str(alert["resolved_at"] or alert["fired_at"] or alert["since"])[:19].replace("T", " ")
    return (alert["id"], alert["severity"], alert["state"], since, alert["summary"], answer)


def run_acknowledge(alert: str, *, config: Path | None, data: Path | None, url: str | None, as_json: bool) -> None:
    """Take care of an alert."""
    (done,) = asyncio.run(ask_service(config, data, url, ("POST", f"/monitoring/alerts/{alert}/acknowledge")))
    _done(done, "Acknowledged", as_json=as_json)


def run_silence(
    alert: str, *, minutes: float, reason: str, config: Path | None, data: Path | None, url: str | None, as_json: bool
) -> None:
    """Tell nobody of an alert for a time."""
    body = {"minutes": minutes, "reason": reason}
    request = ("POST", f"/monitoring/alerts/{alert}/silence")
    (done,) = asyncio.run(ask_service(config, data, url, request, body=body))
    _done(done, "Silenced", as_json=as_json)


def _done(done: Mapping[str, Any], what: str, *, as_json: bool) -> None:
    if as_json:
        print_json(done)
    else:
        print_table(what, ["alert", "by"], [(done["id"], done["by"])])


def run_test(
    receiver: str | None, *, send: bool, config: Path | None, data: Path | None, url: str | None, as_json: bool
) -> None:
    """Ask receivers whether they would take a notice; with `send`, send one that says that it is a test.

    Raises:
        OrchestratorError: One would not; everything was tried all the same.
    """
    checked = asyncio.run(_tested(receiver, send=send, config=config, data=data, url=url))
    if as_json:
        print_json(checked)
    else:
        rows = [
            (each["name"], each["kind"], "ok" if each["healthy"] else each["reason"], each.get("notice", ""))
            for each in checked
        ]
        print_table("Receivers", ["name", "kind", "would take a notice", "test"], rows)
    bad = [each["name"] for each in checked if not each["healthy"]]
    if bad:
        raise OrchestratorError(f"{', '.join(bad)} would not take a notice")


async def _tested(
    receiver: str | None, *, send: bool, config: Path | None, data: Path | None, url: str | None
) -> list[dict[str, Any]]:
    (known,) = await ask_service(config, data, url, ("GET", "/monitoring/receivers"))
    names = [each["name"] for each in known] if receiver is None else [receiver]
    checks = [("POST", f"/monitoring/receivers/{name}/check") for name in names]
    checked: list[dict[str, Any]] = await ask_service(config, data, url, *checks)
    if send:
        healthy = [each for each in checked if each["healthy"]]
        tests = [("POST", f"/monitoring/receivers/{each['name']}/test") for each in healthy]
        for each, posted in zip(healthy, await ask_service(config, data, url, *tests), strict=True):
            each["notice"] = posted["notice"]
    return checked
