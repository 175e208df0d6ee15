"""Which headers an answer carries: the set of the OWASP Secure Headers Project, in three presets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_security._headers.csp import ContentSecurityPolicy, inline_hashes, permissions_policy

__all__ = ["FINGERPRINTS", "HeaderPolicy", "api", "docs", "web_page"]

FINGERPRINTS: Final = frozenset(
    [
        "powered-by",
        "product",
        "server",
        "sourcemap",
        "x-aspnet-version",
        "x-aspnetmvc-version",
        "x-content-encoded-by",
        "x-envoy-upstream-service-time",
        "x-framework",
        "x-generated-by",
        "x-generator",
        "x-php-version",
        "x-powered-by",
        "x-powered-cms",
        "x-runtime",
        "x-server-powered-by",
        "x-sourcefiles",
        "x-sourcemap",
        "x-version",
        "via-server",
    ]
)
"""Headers that tell what the service is made of; they are taken off every answer. The ASGI server adds its own after that: run uvicorn with
`server_header=False`."""

# Names that Chromium does not know are left out: each costs a warning in its console on every page.
_DENIED: Final[Mapping[str, tuple[str, ...]]] = dict.fromkeys(
    [
        "accelerometer",
        "autoplay",
        "browsing-topics",
        "camera",
        "clipboard-read",
        "clipboard-write",
        "cross-origin-isolated",
        "display-capture",
        "encrypted-media",
        "fullscreen",
        "gamepad",
        "geolocation",
        "gyroscope",
        "hid",
        "idle-detection",
        "keyboard-map",
        "local-fonts",
        "magnetometer",
        "microphone",
        "midi",
        "payment",
        "picture-in-picture",
        "publickey-credentials-get",
        "screen-wake-lock",
        "serial",
        "storage-access",
        "sync-xhr",
        "unload",
        "usb",
        "window-management",
        "xr-spatial-tracking",
    ],
    (),
)

_Opener = Literal["same-origin", "same-origin-allow-popups", "unsafe-none", ""]
_Embedder = Literal["require-corp", "credentialless", "unsafe-none", ""]
_Resource = Literal["same-origin", "same-site", "cross-origin", ""]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderPolicy:
    """The headers of an answer; an empty text leaves a header out.

    Attributes:
        content: Content-Security-Policy.
        permissions: Permissions-Policy, from a feature to who may use it; all that is powerful is denied by default.
        hsts_seconds: Strict-Transport-Security with subdomains, sent over TLS only; 0 leaves it out. At least a year counts (ASVS 3.4.1).
        hsts_preload: Also ask for the browsers' built-in list; hard to undo.
        store: Cache-Control for answers that bring none. `no-store` unless said otherwise.
        frame: X-Frame-Options, for browsers that do not know `frame-ancestors`.
        remove: Names of headers that are taken off, in lower case.
        more: Further headers.
    """

    content: ContentSecurityPolicy | None = None
    permissions: Mapping[str, Iterable[str]] = field(default_factory=lambda: _DENIED)
    hsts_seconds: int = 31_536_000
    hsts_preload: bool = False
    store: str = "no-store, max-age=0"
    referrer: str = "no-referrer"
    opener: _Opener = "same-origin"
    embedder: _Embedder = "require-corp"
    resource: _Resource = "same-origin"
    frame: Literal["DENY", "SAMEORIGIN", ""] = "DENY"
    remove: frozenset[str] = FINGERPRINTS
    more: Mapping[str, str] = field(default_factory=dict[str, str])

    def headers(self) -> list[tuple[str, str]]:
        """All but Content-Security-Policy, Cache-Control and Strict-Transport-Security, which depend on the answer.

        Raises:
            ConfigurationError: A value could not be a header's.
        """
        named = {
            "Permissions-Policy": permissions_policy(self.permissions),
            "Referrer-Policy": self.referrer,
            "Cross-Origin-Opener-Policy": self.opener,
            "Cross-Origin-Embedder-Policy": self.embedder,
            "Cross-Origin-Resource-Policy": self.resource,
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": self.frame,
            "X-Permitted-Cross-Domain-Policies": "none",
        }
        if self.content is not None and self.content.report_to:
            named["Reporting-Endpoints"] = f'csp="{self.content.report_to}"'
        named |= self.more
        for name, value in named.items():
            if not (name + value).isascii() or any(not letter.isprintable() for letter in name + value):
                raise ConfigurationError(f"the header {name} cannot have that value")
        return [(name, value) for name, value in named.items() if value]

    @property
    def hsts(self) -> str:
        """Strict-Transport-Security."""
        if not self.hsts_seconds:
            return ""
        return f"max-age={self.hsts_seconds}; includeSubDomains" + ("; preload" if self.hsts_preload else "")


def api(**changes: object) -> HeaderPolicy:
    """For answers that are data: nothing may be loaded, framed or stored. `changes` replace fields of the policy."""
    content = ContentSecurityPolicy(
        directives={
            "default-src": ["'none'"],
            "object-src": ["'none'"],
            "base-uri": ["'none'"],
            "form-action": ["'none'"],
            "frame-ancestors": ["'none'"],
        }
    )
    return _with({"content": content}, changes)


def web_page(*, report_to: str = "", connect: Iterable[str] = (), **changes: object) -> HeaderPolicy:
    """For pages of our own: scripts and styles from this origin, inline ones by nonce; `connect` names further origins it may talk to."""
    content = ContentSecurityPolicy(
        directives={
            "default-src": ["'self'"],
            "script-src": ["'self'"],
            "style-src": ["'self'"],
            "connect-src": ["'self'", *connect],
            "img-src": ["'self'", "data:"],
            "object-src": ["'none'"],
            "base-uri": ["'none'"],
            "form-action": ["'self'"],
            "frame-ancestors": ["'none'"],
            "upgrade-insecure-requests": [],
        },
        nonces=("script-src", "style-src"),
        report_to=report_to,
    )
    return _with({"content": content}, changes)


def docs(
    html: str, *, assets: Iterable[str] = ("https://cdn.jsdelivr.net",), report_to: str = "", **changes: object
) -> HeaderPolicy:
    """For an API's documentation page, whose HTML a framework makes: its inline scripts are allowed by their hashes, its files from `assets`."""
    hashes = inline_hashes(html)
    places = list(assets)
    content = ContentSecurityPolicy(
        directives={
            "default-src": ["'none'"],
            "script-src": ["'self'", *places, *hashes["script-src"]],
            "style-src": ["'self'", *places, *hashes["style-src"]],
            "img-src": ["'self'", "data:", "https://fastapi.tiangolo.com", *places],
            "font-src": ["'self'", *places],
            "connect-src": ["'self'"],
            "worker-src": ["'self'", "blob:"],
            "object-src": ["'none'"],
            "base-uri": ["'none'"],
            "form-action": ["'none'"],
            "frame-ancestors": ["'none'"],
        },
        report_to=report_to,
    )
    # The page's files come from elsewhere and carry no Cross-Origin-Resource-Policy.
    return _with({"content": content, "embedder": ""}, changes)


def _with(preset: Mapping[str, object], changes: Mapping[str, object]) -> HeaderPolicy:
    unknown = changes.keys() - HeaderPolicy.__dataclass_fields__.keys()
    if unknown:
        raise ConfigurationError(f"a header policy has no {', '.join(sorted(unknown))}")
    return HeaderPolicy(**{**preset, **changes})  # type: ignore[arg-type]  # the names are checked above
