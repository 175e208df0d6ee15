"""`orchestrator metrics`."""

from __future__ import annotations

import json
import sys

from orchestrator_app.composition.metrics import CATALOGUE

__all__ = ["document", "run_metrics"]

_HEAD = """# Metrics

Everything that `/metrics` may show, by name. Written by `orchestrator metrics`; a test holds it to what is declared.

Labels are bounded: what is out of bounds is counted as the last value of its list. Histograms are scraped as `_bucket`, `_sum` and `_count`.

"""


def document() -> str:
    """The table of all metrics as a Markdown page."""
    return _HEAD + CATALOGUE.table()


def run_metrics(*, as_json: bool) -> None:
    """Print it."""
    if not as_json:
        sys.stdout.write(document())
        return
    rows = [
        {
            "name": each.name,
            "type": each.kind,
            "unit": each.unit,
            "labels": {name: str(bound) for name, bound in each.labels.items()},
            "most_series": each.most_series,
            "help": each.help,
        }
        for each in sorted(CATALOGUE, key=lambda each: each.name)
    ]
    sys.stdout.write(json.dumps(rows) + "\n")
