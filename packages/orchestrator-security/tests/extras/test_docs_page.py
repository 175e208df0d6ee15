"""FastAPI's own documentation pages under the preset for them."""

from __future__ import annotations

import re

import pytest
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html

from orchestrator_security.headers_middleware import docs, inline_hashes


@pytest.mark.parametrize(
    "make",
    [
        lambda: get_swagger_ui_html(openapi_url="/openapi.json", title="calls").body,
        lambda: get_redoc_html(openapi_url="/openapi.json", title="calls").body,
    ],
)
def test_every_inline_part_has_a_hash_and_every_file_a_place(make: object) -> None:
    html = bytes(make()).decode()  # type: ignore[operator]
    policy = docs(html, assets=("https://cdn.jsdelivr.net", "https://fonts.googleapis.com")).content
    assert policy is not None
    inline = len(re.findall(r"<(?:script|style)>", html))
    assert sum(map(len, inline_hashes(html).values())) == inline
    assert all(source in policy.value() for sources in inline_hashes(html).values() for source in sources)
    for url in re.findall(r"<(?:script|link)[^>]+(?:src|href)=\"(https://[^/\"]+)", html):
        assert url in policy.value()
