"""Content-Security-Policy (CSP level 3) and Permissions-Policy, written so that a browser reads what was meant."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final

from orchestrator_kernel.exceptions import ConfigurationError

__all__ = ["ContentSecurityPolicy", "inline_hashes", "permissions_policy"]

_FETCH: Final = frozenset(
    [
        "child-src",
        "connect-src",
        "default-src",
        "fenced-frame-src",
        "font-src",
        "frame-src",
        "img-src",
        "manifest-src",
        "media-src",
        "object-src",
        "script-src",
        "script-src-attr",
        "script-src-elem",
        "style-src",
        "style-src-attr",
        "style-src-elem",
        "worker-src",
        "base-uri",
        "form-action",
        "frame-ancestors",
    ]
)
_FLAGS: Final = frozenset({"upgrade-insecure-requests"})
_OTHERS: Final = frozenset({"sandbox", "require-trusted-types-for", "trusted-types"})
_WORDS: Final = frozenset(
    [
        "'self'",
        "'none'",
        "'strict-dynamic'",
        "'report-sample'",
        "'wasm-unsafe-eval'",
        "'unsafe-hashes'",
        "'unsafe-inline'",
        "'unsafe-eval'",
    ]
)
_SOURCE: Final = re.compile(
    r"'(?:sha256|sha384|sha512)-[A-Za-z0-9+/]+={0,2}'\Z"
    r"|[a-z][a-z0-9+.-]*:\Z"
    r"|(?:[a-z][a-z0-9+.-]*://)?(?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::(?:[0-9]{1,5}|\*))?(?:/[A-Za-z0-9._~!$&'()*+=:@%/-]*)?\Z"
)
_FEATURE: Final = re.compile(r"[a-z][a-z0-9-]*\Z")
_ORIGIN: Final = re.compile(r"https?://(?:\*\.)?[a-z0-9.-]+(?::[0-9]{1,5})?\Z")
_NONCE: Final = "\x00nonce\x00"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentSecurityPolicy:
    """What a page may load.

    Attributes:
        directives: From a directive to its sources; flags have none. `'unsafe-inline'` and `'unsafe-eval'` are refused unless `allow_unsafe`.
        nonces: Directives that get `'nonce-…'`, a fresh one for each answer; the application finds it in `scope["csp_nonce"]`.
        report_to: An absolute URL or path that browsers send violations to (`CspReports` takes them).
        report_only: Watch, and enforce nothing.

    Raises:
        ConfigurationError: A directive or source is misspelt, or unsafe.
    """

    directives: Mapping[str, Iterable[str]]
    nonces: tuple[str, ...] = ()
    report_to: str = ""
    report_only: bool = False
    allow_unsafe: bool = False
    _text: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        parts: list[str] = []
        for name, given in self.directives.items():
            sources = list(given)
            self._check(name, sources)
            if name in self.nonces:
                sources = [*(each for each in sources if each != "'none'"), f"'nonce-{_NONCE}'"]
            parts.append(" ".join([name, *sources]))
        missing = set(self.nonces) - self.directives.keys()
        if missing:
            raise ConfigurationError(
                f"nonces are asked for in {', '.join(sorted(missing))}, which the policy does not have"
            )
        if self.report_to:
            if not re.match(r"(?:https?:/)?/[!-~]+\Z", self.report_to) or set(self.report_to) & set('",;'):
                raise ConfigurationError(f"report_to must be a path or an absolute URL, not {self.report_to!r}")
            parts += [f"report-uri {self.report_to}", "report-to csp"]
        object.__setattr__(self, "_text", "; ".join(parts))

    @property
    def header(self) -> str:
        """The name of the header."""
        return "Content-Security-Policy-Report-Only" if self.report_only else "Content-Security-Policy"

    def value(self, nonce: str = "") -> str:
        """The header's value; `nonce` where the policy has nonces."""
        return self._text.replace(_NONCE, nonce)

    def around_nonce(self) -> tuple[bytes, ...]:
        """The value cut at each nonce, so that one join makes it whole."""
        return tuple(part.encode("ascii") for part in self._text.split(_NONCE))

    def _check(self, name: str, sources: list[str]) -> None:
        if name in _FLAGS:
            if sources:
                raise ConfigurationError(f"{name} has no sources")
            return
        if name in _OTHERS:
            if not all(re.match(r"[A-Za-z0-9'*_-]+\Z", each) for each in sources):
                raise ConfigurationError(f"{name} cannot have {' '.join(sources)}")
            return
        if name not in _FETCH:
            raise ConfigurationError(f"Content-Security-Policy has no directive {name}")
        for source in sources:
            if source not in _WORDS and not _SOURCE.match(source):
                raise ConfigurationError(
                    f"{source!r} is no source for {name}; words such as 'self' stand in single quotes"
                )
            if source in {"'unsafe-inline'", "'unsafe-eval'"} and not self.allow_unsafe:
                raise ConfigurationError(f"{source} in {name} undoes the policy; use nonces or hashes")
        if not sources or ("'none'" in sources and len(sources) > 1):
            raise ConfigurationError(f"{name} needs sources, or 'none' alone")


class _Inline(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, list[str]] = {"script": [], "style": []}
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self.found and "src" not in dict(attrs):
            self._inside = tag
            self.found[tag].append("")

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.found[self._inside][-1] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = ""


def inline_hashes(html: str) -> Mapping[str, tuple[str, ...]]:
    """The `'sha256-…'` sources of a page's inline scripts and styles, under `script-src` and `style-src`."""
    parser = _Inline()
    parser.feed(html)
    parser.close()
    return {
        f"{tag}-src": tuple(
            f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in texts if text
        )
        for tag, texts in parser.found.items()
    }


def permissions_policy(features: Mapping[str, Iterable[str]]) -> str:
    """The header's value, a dictionary of structured fields (RFC 9651): `camera=(), microphone=(self "https://a.example")`.

    Allow `self`, `*` alone, or origins; nothing allows nobody.

    Raises:
        ConfigurationError: A feature or an origin is misspelt.
    """
    parts: list[str] = []
    for name, given in features.items():
        allowed = list(given)
        wrong = [each for each in allowed if each not in {"self", "*"} and not _ORIGIN.match(each)]
        if not _FEATURE.match(name) or wrong or ("*" in allowed and len(allowed) > 1):
            raise ConfigurationError(
                f"Permissions-Policy cannot say {name}: {' '.join(allowed)}; use self, * alone, or origins"
            )
        words = [each if each in {"self", "*"} else f'"{each}"' for each in allowed]
        parts.append(f"{name}=*" if words == ["*"] else f"{name}=({' '.join(words)})")
    return ", ".join(parts)
