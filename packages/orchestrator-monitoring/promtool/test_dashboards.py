"""Every query of every dashboard is one that Prometheus takes."""

import json
import subprocess

from orchestrator_monitoring._dashboards.queries import plain
from orchestrator_monitoring.dashboard_config import standard_dashboards


def test_prometheus_takes_every_query(tmp_path):
    queries = [query.expr for board in standard_dashboards() for panel in board.panels for query in panel.queries]
    assert len(queries) > 50
    rules = [{"record": f"r{number}", "expr": plain(query)} for number, query in enumerate(queries)]
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "g", "rules": rules}]}))
    found = subprocess.run(
        ["promtool", "check", "rules", file], capture_output=True, text=True, check=False, timeout=60
    )
    assert (found.returncode, found.stderr) == (0, "")
