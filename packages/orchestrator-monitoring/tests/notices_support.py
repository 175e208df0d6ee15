"""Notices of every kind, some of them odd and large."""

from __future__ import annotations

from dataclasses import replace

from alert_store_contract import NOW, record

from orchestrator_kernel.models import Severity
from orchestrator_monitoring.alerting import Condition, Notice

ODD = 'a <b> & \u2028 "quote" {{.}} *bold* ü \x07'
ONE = record("slow", tenant="x")
MANY = tuple(
    replace(
        record("slow", **{"tenant": f"t{number}", "odd.label": ODD}),
        condition=Condition(
            rule="slow",
            severity=Severity.CRITICAL,
            labels={"tenant": f"t{number}", "odd.label": ODD},
            summary=ODD * 20,
            description=ODD * 200,
            runbook="https://runbooks.example/slow?a=1&b=2",
        ),
    )
    for number in range(1000)
)


def notice(**values) -> Notice:
    return Notice(
        **{"id": "n-1", "receiver": "r", "group": "g" * 64, "labels": {"alertname": "slow"}, "at": NOW, **values}
    )


ENDED = replace(ONE, state="resolved", resolved_at=NOW + 600)
NOTICES = {
    "one": notice(firing=(ONE,)),
    "storm": notice(firing=MANY, resolved=MANY[:500]),
    "over": notice(resolved=(ENDED,), over=True),
    "muted rest": notice(resolved=(ENDED,)),
    "answered": notice(firing=(replace(ONE, acknowledged_by="zoe"),)),
    "test": Notice(id="test-1", receiver="r", group="", kind="test", at=NOW),
}
