"""Testing a running service as an attacker would, after the OWASP API Security Top 10 2023 and ASVS 5 (extra `[cli]`).

What the user types:

    orchestrator-pentest http://127.0.0.1:8000 --as alice:TOKEN --as bob:TOKEN --html report.html

or, in a test of their own:

    report = await penetrate(PenetrationTest(url=..., openapi=document, identities=[Identity("alice", token), Identity("bob", other)]))
    assert report.exit_code == 0

Every check says what it sent, what it saw and why that is a flaw. A target that does not answer is an error, never a pass; what could not be tried
says what it would need. Nothing is sent to a host that is neither this machine nor named as one's own.
"""

from orchestrator_security._pentest.checks import all_checks
from orchestrator_security._pentest.context import Identity, SignedRequest
from orchestrator_security._pentest.model import (
    Check,
    CheckResult,
    Finding,
    OutOfScope,
    Report,
    State,
    TargetUnreachable,
)
from orchestrator_security._pentest.reports import as_html, as_json, as_sarif
from orchestrator_security._pentest.runner import PenetrationTest, penetrate

__all__ = [
    "Check",
    "CheckResult",
    "Finding",
    "Identity",
    "OutOfScope",
    "PenetrationTest",
    "Report",
    "SignedRequest",
    "State",
    "TargetUnreachable",
    "all_checks",
    "as_html",
    "as_json",
    "as_sarif",
    "penetrate",
]
