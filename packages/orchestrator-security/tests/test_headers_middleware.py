"""The headers of answers."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from security_asgi import ask, echo, scope_of

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_security.headers_middleware import (
    ContentSecurityPolicy,
    CspReports,
    CspViolation,
    HeaderPolicy,
    HeadersMiddleware,
    api,
    docs,
    permissions_policy,
    web_page,
)

# The names and values of the OWASP Secure Headers Project's list of headers to add.
OWASP = {
    "cache-control": "no-store, max-age=0",
    "cross-origin-embedder-policy": "require-corp",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=31536000; includeSubDomains",
    "x-content-type-options": "nosniff",
    "x-frame-options": "deny",
    "x-permitted-cross-domain-policies": "none",
}
# Without `web-share`, which Chromium does not know on every system: it would write an error into its console for each page.
DENIED_BY_OWASP = [
    "accelerometer",
    "autoplay",
    "camera",
    "cross-origin-isolated",
    "display-capture",
    "encrypted-media",
    "fullscreen",
    "geolocation",
    "gyroscope",
    "keyboard-map",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "picture-in-picture",
    "publickey-credentials-get",
    "screen-wake-lock",
    "usb",
    "xr-spatial-tracking",
    "clipboard-read",
    "clipboard-write",
    "gamepad",
    "hid",
    "idle-detection",
    "serial",
    "unload",
]


def answering(*headers: tuple[str, str], status: int = 200) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raw = [(name.encode(), value.encode()) for name, value in headers]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": b"ok"})

    return app


@pytest.mark.parametrize("policy", [api(), web_page()], ids=["api", "web_page"])
async def test_the_owasp_set_is_on_every_answer(policy: HeaderPolicy) -> None:
    reply = await ask(HeadersMiddleware(answering(), policy=policy), scope_of())
    for name, value in OWASP.items():
        assert [each.lower() for each in reply.all(name)] == [value.lower()], name
    assert "frame-ancestors 'none'" in str(reply.header("content-security-policy"))
    allowed = dict(part.split("=") for part in str(reply.header("permissions-policy")).split(", "))
    assert all(allowed[feature] == "()" for feature in DENIED_BY_OWASP)


async def test_what_the_application_set_is_replaced_and_what_tells_of_the_inside_removed() -> None:
    app = answering(
        ("X-Frame-Options", "ALLOWALL"),
        ("Server", "acme/1.2"),
        ("X-Powered-By", "python"),
        ("Content-Type", "text/plain"),
        ("Cache-Control", "max-age=60"),
    )
    reply = await ask(HeadersMiddleware(app), scope_of())
    assert reply.all("x-frame-options") == ["DENY"]
    assert (reply.header("server"), reply.header("x-powered-by")) == (None, None)
    assert (reply.header("content-type"), reply.all("cache-control")) == ("text/plain", ["max-age=60"])


async def test_answers_with_tokens_are_never_stored() -> None:
    caching = answering(("cache-control", "public, max-age=600"))
    middleware = HeadersMiddleware(caching, token_paths={"/auth/login"})
    assert (await ask(middleware, scope_of("/auth/login"))).all("cache-control") == ["no-store"]
    cookie = HeadersMiddleware(answering(("set-cookie", "s=1"), ("Cache-Control", "public")))
    assert (await ask(cookie, scope_of())).all("cache-control") == ["no-store"]


async def test_logout_clears_the_site() -> None:
    middleware = HeadersMiddleware(answering(), clear_paths={"/auth/logout"})
    assert (await ask(middleware, scope_of("/auth/logout"))).header(
        "clear-site-data"
    ) == '"cache", "cookies", "storage"'
    assert (await ask(middleware, scope_of("/"))).header("clear-site-data") is None


async def test_hsts_is_said_over_tls_only() -> None:
    plain = {**scope_of(), "scheme": "http"}
    assert (await ask(HeadersMiddleware(answering()), dict(plain))).header("strict-transport-security") is None
    behind_proxy = await ask(HeadersMiddleware(answering(), tls=True), dict(plain))
    assert behind_proxy.header("strict-transport-security") == OWASP["strict-transport-security"]
    preload = HeadersMiddleware(answering(), policy=api(hsts_preload=True))
    assert str((await ask(preload, scope_of())).header("strict-transport-security")).endswith("; preload")


async def test_policies_by_path_the_longest_prefix_counts() -> None:
    middleware = HeadersMiddleware(
        answering(), by_path={"/ui/": web_page(), "/ui/embed/": web_page(frame="SAMEORIGIN"), "/raw": api(frame="")}
    )
    found = [
        (await ask(middleware, scope_of(path))).header("x-frame-options")
        for path in ("/ui/a", "/ui/embed/a", "/raw", "/x")
    ]
    assert found == ["DENY", "SAMEORIGIN", None, "DENY"]


async def test_each_answer_has_a_nonce_of_its_own_and_the_application_knows_it() -> None:
    seen: list[str] = []

    async def page(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["csp_nonce"])
        await answering()(scope, receive, send)

    middleware = HeadersMiddleware(page, policy=web_page(report_to="/csp-reports"))
    for _ in range(3):
        policy = str((await ask(middleware, scope_of())).header("content-security-policy"))
        assert f"script-src 'self' 'nonce-{seen[-1]}'; style-src 'self' 'nonce-{seen[-1]}'" in policy
        assert policy.endswith("report-uri /csp-reports; report-to csp")
        assert "unsafe" not in policy
    assert len(set(seen)) == 3
    assert all(len(nonce) >= 22 for nonce in seen)


async def test_websockets_and_their_refusals_carry_them_too() -> None:
    accepted = await ask(HeadersMiddleware(echo), scope_of(kind="websocket"))
    assert (accepted.status, accepted.header("x-content-type-options")) == (101, "nosniff")
    sent: list[dict[str, Any]] = []

    async def denies(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.http.response.start", "status": 403, "headers": [(b"server", b"x")]})

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await HeadersMiddleware(denies)(scope_of(kind="websocket"), None, send)  # type: ignore[arg-type]
    assert b"x-frame-options" in dict(sent[0]["headers"])
    assert b"server" not in dict(sent[0]["headers"])


async def test_it_stays_out_of_the_lifespan() -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    await HeadersMiddleware(app)({"type": "lifespan"}, None, None)  # type: ignore[arg-type]
    assert seen == ["lifespan"]


@pytest.mark.parametrize(
    ("directives", "nonces"),
    [
        ({"script-source": ["'self'"]}, ()),
        ({"script-src": ["self"]}, ("x",)),
        ({"script-src": ["none"]}, ("script-src", "style-src")),
        ({"script-src": ["'unsafe-inline'"]}, ()),
        ({"script-src": ["'unsafe-eval'"]}, ()),
        ({"script-src": ["https://a.example; report-uri /x"]}, ()),
        ({"script-src": ["https://a.example,"]}, ()),
        ({"script-src": ["'none'", "'self'"]}, ()),
        ({"script-src": []}, ()),
        ({"img-src": ["'self'\n"]}, ()),
        ({"upgrade-insecure-requests": ["'self'"]}, ()),
        ({"sandbox": ["allow forms"]}, ()),
        ({"default-src": ["'self'"]}, ("script-src",)),
    ],
)
def test_a_policy_that_a_browser_would_misread_is_refused(
    directives: dict[str, list[str]], nonces: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigurationError):
        ContentSecurityPolicy(directives=directives, nonces=nonces)


@pytest.mark.parametrize("place", ["not a place", "javascript:x", "/a;b", '/a"b', "https://a.example/x, y"])
def test_a_place_for_reports_is_a_path_or_an_url(place: str) -> None:
    with pytest.raises(ConfigurationError):
        web_page(report_to=place)


def test_report_only_watches() -> None:
    policy = ContentSecurityPolicy(directives={"default-src": ["'self'"]}, report_only=True)
    assert (policy.header, policy.value()) == ("Content-Security-Policy-Report-Only", "default-src 'self'")


@given(st.dictionaries(st.text(max_size=12), st.lists(st.text(max_size=12), max_size=3), max_size=3))
def test_no_policy_becomes_two_headers_or_two_directives(directives: dict[str, list[str]]) -> None:
    try:
        policy = ContentSecurityPolicy(directives=directives)
    except ConfigurationError:
        return
    assert len(policy.value().split("; ")) == max(len(directives), 1)
    assert re.fullmatch(r"[ -~]*", policy.value())


@pytest.mark.parametrize(
    ("features", "value"),
    [
        ({"camera": []}, "camera=()"),
        ({"camera": ["self"], "usb": ["*"]}, "camera=(self), usb=*"),
        ({"camera": ["self", "https://a.example"]}, 'camera=(self "https://a.example")'),
    ],
)
def test_permissions_are_structured_fields(features: dict[str, list[str]], value: str) -> None:
    assert permissions_policy(features) == value


@pytest.mark.parametrize(
    "features",
    [{"camera": ["'none'"]}, {"camera": ["none"]}, {"Camera": []}, {"camera": ["*", "self"]}, {"usb": ["a.example"]}],
)
def test_what_is_no_structured_field_is_refused(features: dict[str, list[str]]) -> None:
    with pytest.raises(ConfigurationError):
        permissions_policy(features)


@pytest.mark.parametrize("changes", [{"frames": "DENY"}, {"more": {"X-A": "b\r\nSet-Cookie: a=1"}}, {"referrer": "ä"}])
def test_a_policy_that_cannot_be_is_refused_when_it_is_made(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        HeadersMiddleware(answering(), policy=api(**changes))


def test_the_documentation_page_runs_its_own_scripts_and_no_others() -> None:
    html = "<html><style>a{}</style><script src='https://cdn.jsdelivr.net/x.js'></script><script>\nstart('x < y')\n</script></html>"
    policy = docs(html).content
    assert policy is not None
    wanted = base64.b64encode(hashlib.sha256(b"\nstart('x < y')\n").digest()).decode()
    assert f"script-src 'self' https://cdn.jsdelivr.net 'sha256-{wanted}'" in policy.value()
    assert "unsafe" not in policy.value()


async def report(app: CspReports, body: bytes, kind: str, method: str = "POST") -> int:
    headers = [("content-type", kind), ("content-length", str(len(body)))]
    return (await ask(app, scope_of("/csp-reports", method=method, headers=headers), [body])).status


async def test_reports_come_in_both_shapes_and_as_one_safe_line() -> None:
    seen: list[CspViolation] = []
    app = CspReports(seen.append)
    old = {
        "csp-report": {
            "document-uri": "https://a.example/p?token=1",
            "blocked-uri": "inline",
            "violated-directive": "script-src\nforged",
        }
    }
    new = [
        {
            "type": "csp-violation",
            "body": {
                "documentURL": "https://a.example/#x",
                "blockedURL": "eval",
                "effectiveDirective": "script-src",
                "disposition": "enforce",
            },
        },
        {"type": "deprecation", "body": {}},
        "nonsense",
    ]
    assert await report(app, json.dumps(old).encode(), "application/csp-report") == 204
    assert await report(app, json.dumps(new).encode(), "application/reports+json") == 204
    assert seen == [
        CspViolation("https://a.example/p", "inline", "script-src\\nforged", ""),
        CspViolation("https://a.example/", "eval", "script-src", "enforce"),
    ]


@pytest.mark.parametrize(
    ("body", "kind", "method", "status"),
    [
        (b"{", "application/csp-report", "POST", 400),
        (b"{}", "text/plain", "POST", 415),
        (b" " * 40_000, "application/csp-report", "POST", 413),
        (b"", "", "GET", 405),
        (b'[1,{"csp-report":3},{"body":{"documentURL":7}}]', "application/reports+json", "POST", 204),
    ],
)
async def test_what_is_no_report_does_nothing(body: bytes, kind: str, method: str, status: int) -> None:
    seen: list[CspViolation] = []
    assert await report(CspReports(seen.append), body, kind, method) == status
    assert all(each == CspViolation("", "", "", "") for each in seen)


async def test_at_most_twenty_reports_are_read() -> None:
    seen: list[CspViolation] = []
    body = json.dumps([{"type": "csp-violation", "body": {}}] * 100).encode()
    await report(CspReports(seen.append), body, "application/reports+json")
    assert len(seen) == 20
