"""What browsers tell about our own pages."""

from __future__ import annotations

import logging
from typing import Final

from starlette.routing import Route

from orchestrator_security.headers_middleware import CspReports, CspViolation

__all__ = ["CSP_REPORTS", "ROUTE"]

logger = logging.getLogger(__name__)

CSP_REPORTS: Final = "/security/csp-reports"
"""Where browsers send what a Content-Security-Policy of ours stopped; anybody can write there."""


def _observe(violation: CspViolation) -> None:
    """A stranger's word: one line, in which the redactor takes out what is personal."""
    logger.warning(
        "a browser stopped something on a page of ours",
        extra={
            "document": violation.document,
            "blocked": violation.blocked,
            "directive": violation.directive,
            "disposition": violation.disposition,
        },
    )


ROUTE: Final = Route(CSP_REPORTS, CspReports(_observe), include_in_schema=False)
"""Takes both forms of reports, and answers nothing. The limits of strangers' requests stand before it."""
