"""The headers that tell browsers what they must not do, CORS, the names a service is known under, and the client behind proxies. Pure ASGI, HTTP and WebSocket.

What the user types:

    app = HeadersMiddleware(app, policy=api(), by_path={"/docs": docs(html)}, token_paths={"/auth/login"})
    app = CorsMiddleware(app, policy=CorsPolicy(origins=frozenset({"https://console.example"})))
    app = TrustedHosts(app, hosts=["calls.example"])

All values are checked when the policy is made, and are bytes from then on. Sources: OWASP Secure Headers Project, CSP level 3, Permissions
Policy, the Fetch standard, RFC 6797.
"""

from orchestrator_security._headers.client import ClientAddress
from orchestrator_security._headers.csp import ContentSecurityPolicy, inline_hashes, permissions_policy
from orchestrator_security._headers.middleware import HeadersMiddleware
from orchestrator_security._headers.origins import (
    CorsMiddleware,
    CorsPolicy,
    OriginRefused,
    TrustedHosts,
    UntrustedHost,
)
from orchestrator_security._headers.policy import FINGERPRINTS, HeaderPolicy, api, docs, web_page
from orchestrator_security._headers.reports import CSP_REPORT_LIMITS, CspReports, CspViolation

__all__ = [
    "CSP_REPORT_LIMITS",
    "FINGERPRINTS",
    "ClientAddress",
    "ContentSecurityPolicy",
    "CorsMiddleware",
    "CorsPolicy",
    "CspReports",
    "CspViolation",
    "HeaderPolicy",
    "HeadersMiddleware",
    "OriginRefused",
    "TrustedHosts",
    "UntrustedHost",
    "api",
    "docs",
    "inline_hashes",
    "permissions_policy",
    "web_page",
]
