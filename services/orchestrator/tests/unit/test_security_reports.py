"""What browsers tell of our own pages: taken within limits, and nothing personal of it reaches the log."""

from __future__ import annotations

import io
import json
from pathlib import Path

import httpx
import pytest
from app_support import SHORT, settings
from fastapi import FastAPI

from orchestrator_app.doors import header_policies, public_paths, request_limits
from orchestrator_app.routers.security import CSP_REPORTS, ROUTE
from orchestrator_security.headers_middleware import HeadersMiddleware
from orchestrator_security.input_validation import InputLimits
from orchestrator_security.pii_redactor import PiiRedactor
from orchestrator_utils.logging_adapter import LogConfig, configure

OLD = {
    "document-uri": "https://calls.example/docs?token=secret-of-zoe",
    "blocked-uri": "https://evil.example/zoe@example.org",
    "effective-directive": "script-src",
    "disposition": "enforce",
}
NEW = [{"type": "csp-violation", "body": {"documentURL": "https://calls.example/docs", "blockedURL": "inline"}}]


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    """The route behind the doors that stand before it in the application."""
    configured = settings(tmp_path, tenants=SHORT)
    app = FastAPI()
    app.router.routes.append(ROUTE)
    usual, by_path = request_limits(configured.server)
    app.add_middleware(InputLimits, limits=usual, by_path=by_path)
    app.add_middleware(HeadersMiddleware, by_path=header_policies(app))
    assert CSP_REPORTS in public_paths(configured)
    return app


async def sent(app: FastAPI, content: str, media_type: str) -> int:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as http:
        return (await http.post(CSP_REPORTS, content=content, headers={"content-type": media_type})).status_code


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (json.dumps({"csp-report": OLD}), "application/csp-report", 204),
        (json.dumps(NEW), "application/reports+json", 204),
        (json.dumps({"csp-report": OLD}), "application/json", 415),
        ("{", "application/csp-report", 400),
        ("x" * 40_000, "application/csp-report", 413),
    ],
)
async def test_reports_are_taken_in_both_forms_and_within_limits(
    app: FastAPI, content: str, media_type: str, status: int
) -> None:
    assert await sent(app, content, media_type) == status


async def test_a_report_is_one_redacted_line_of_the_log(app: FastAPI) -> None:
    log = io.BytesIO()
    with configure(LogConfig(format="json", level="INFO"), redactor=PiiRedactor(), stream=log):
        await sent(app, json.dumps({"csp-report": OLD}), "application/csp-report")
    [line] = [json.loads(each) for each in log.getvalue().splitlines() if b"browser stopped" in each]
    assert (line["level"], line["directive"], line["document"]) == (
        "warning",
        "script-src",
        "https://calls.example/docs",
    )
    assert "zoe" not in log.getvalue().decode()


async def test_every_page_of_ours_names_the_route(app: FastAPI) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as http:
        for page in ("/docs", "/redoc", "/auth/password/set", "/console"):
            headers = (await http.get(page)).headers
            assert f"report-uri {CSP_REPORTS}; report-to csp" in headers["content-security-policy"]
            assert headers["reporting-endpoints"] == f'csp="{CSP_REPORTS}"'
        assert "report-uri" not in (await http.get("/healthz")).headers["content-security-policy"]
