"""`orchestrator resilience`: what a running service says of its policies, and resetting them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from orchestrator_app.cli._print import print_json, print_table
from orchestrator_app.cli._settings import load_settings
from orchestrator_app.composition.secrets import load_secrets
from orchestrator_kernel.exceptions import OrchestratorError
from orchestrator_kernel.http import HttpClientConfig, create_client, http_errors

__all__ = ["run_reset", "run_show"]


def run_show(*, config: Path | None, data: Path | None, url: str | None, as_json: bool) -> None:
    """Every dependency: its circuit, who runs and waits, and how calls ended."""
    health, circuits, lines = asyncio.run(_ask(config, data, url, "GET", "health", "circuit-breakers", "backpressure"))
    if as_json:
        print_json({"health": health, "circuit_breakers": circuits, "backpressure": lines})
        return
    by_circuit = {each["name"]: each for each in circuits}
    by_line = {each["name"]: each for each in lines}
    rows: list[tuple[str, str, str, str]] = []
    for each in health["dependencies"]:
        circuit, line = by_circuit.get(each["name"]), by_line.get(each["name"])
        ends = ", ".join(f"{count} {outcome}" for outcome, count in each["outcomes"].items()) or "none yet"
        shown = f"{line['running']} of {line['limit']}, {line['waiting']} wait" if line else "without limit"
        rows.append((each["name"], _state(circuit), shown, ends))
    print_table(f"Resilience: {health['status']}", ["dependency", "circuit", "running", "calls"], rows)


def _state(circuit: dict[str, Any] | None) -> str:
    if circuit is None:
        return "none"
    if circuit["retry_after"] is None:
        return str(circuit["state"])
    return f"{circuit['state']}, probes in {circuit['retry_after']:.0f} s"


def run_reset(
    names: list[str], *, config: Path | None, data: Path | None, url: str | None, client: str | None, as_json: bool
) -> None:
    """Close circuits (all without names), or forget what a client has used of its limits."""
    if client is not None:
        paths = [f"rate-limits/{client}/reset"]
    else:
        paths = [f"circuit-breakers/{name}/reset" for name in names] or ["circuit-breakers/reset-all"]
    answers = asyncio.run(_ask(config, data, url, "POST", *paths))
    done = [name for answer in answers for name in answer["reset"]]
    if as_json:
        print_json({"reset": done})
    else:
        print_table("Reset", ["name"], [(name,) for name in done])


async def _ask(config: Path | None, data: Path | None, url: str | None, method: str, *paths: str) -> list[Any]:
    settings = load_settings(config, data_dir=data).value
    secrets = load_secrets(settings)
    where = url or f"http://{settings.server.host}:{settings.server.port}"
    headers = {"authorization": f"Bearer {secrets.access_token.get_secret_value()}"}
    answers: list[Any] = []
    async with create_client(HttpClientConfig(base_url=where, headers=headers, read_timeout=10.0)) as http:
        for path in paths:
            with http_errors(f"the service at {where}"):
                response = await http.request(method, f"/resilience/{path}")
            if response.is_error:
                raise OrchestratorError(f"{path}: {response.json().get('detail') or response.status_code}")
            answers.append(response.json())
    return answers
