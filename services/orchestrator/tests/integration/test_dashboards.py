"""The dashboards that come with the service: over what it exports and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from app_support import SHORT, Commands, running, settings

from orchestrator_app.composition.metrics import CATALOGUE
from orchestrator_monitoring.dashboard_config import Dashboard, standard_dashboards

OWN = """
uid = "desk"
title = "Desk"

[[row]]
title = "Now"

[[row.panel]]
title = "Calls"

[[row.panel.query]]
expr = "sum(orchestrator_calls_in_progress)"
"""


@pytest.mark.parametrize("board", standard_dashboards(), ids=lambda board: board.uid)
def test_every_query_is_over_what_the_service_exports(board: Dashboard) -> None:
    board.check(CATALOGUE)


async def test_dashboards_by_request(data: Path) -> None:
    async with running(settings(data, tenants=SHORT)) as client:
        listed = (await client.get("/monitoring/dashboards")).json()
        assert {each["uid"] for each in listed} == {board.uid for board in standard_dashboards()}
        for each in listed:
            found = (await client.get(f"/monitoring/dashboards/{each['uid']}")).json()
            assert found["title"] == each["title"]
            assert len([panel for panel in found["panels"] if panel["type"] != "row"]) == each["panels"]
        missing = await client.get("/monitoring/dashboards/none")
        assert (missing.status_code, missing.json()["code"]) == (404, "unknown_dashboard")


def test_dashboards_by_command(command: Commands, tmp_path: Path) -> None:
    (tmp_path / "desk.toml").write_text(OWN)
    done = command("dashboards", "export", "out", "--with", "desk.toml", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    written = [Path(line) for line in done.stdout.splitlines()]
    assert {path.name for path in written if path.parent.name == "dashboards" and path.suffix == ".json"} == {
        "desk.json",
        *(f"{board.uid}.json" for board in standard_dashboards()),
    }
    for path in written:
        assert (tmp_path / path).read_text()
    assert json.loads((tmp_path / "out/dashboards/desk.json").read_text())["title"] == "Desk"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("_progress", "_progres", "desk.toml:12: no metric has a sample orchestrator_calls_in_progres; did you mean"),
        ("sum(", "sum((", "desk.toml:12: at character 37"),
        ('title = "Calls"', "", "desk.toml:8: title is missing"),
    ],
)
def test_a_bad_dashboard_is_refused_by_file_line_and_reason(
    command: Commands, tmp_path: Path, old: str, new: str, said: str
) -> None:
    (tmp_path / "desk.toml").write_text(OWN.replace(old, new))
    done = command("dashboards", "export", "out", "--with", "desk.toml", folder=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert not (tmp_path / "out").exists()
