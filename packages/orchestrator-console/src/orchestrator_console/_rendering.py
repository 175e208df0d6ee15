"""Templates: everything is escaped, and what is missing is an error."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from orchestrator_console import _charts, _format
from orchestrator_console.config import ConsoleConfig
from orchestrator_kernel.ports import Clock

__all__ = ["ASSETS", "Asset", "Renderer"]


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that pages load; its version changes with its content."""

    name: str
    media_type: str
    content: bytes
    version: str


_KINDS: Final = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
ASSETS: Final = ("console.css", "console.js", "test_call.js", "icon.svg")


def load_assets() -> dict[str, Asset]:
    """The files of the package, by name."""
    found: dict[str, Asset] = {}
    for name in ASSETS:
        content = (files("orchestrator_console") / "static" / name).read_bytes()
        kind = _KINDS[name.rpartition(".")[2]]
        found[name] = Asset(name, f"{kind}; charset=utf-8", content, hashlib.sha256(content).hexdigest()[:12])
    return found


class Renderer:
    """Turns what was read into HTML."""

    def __init__(self, config: ConsoleConfig, clock: Clock, assets: Mapping[str, Asset]) -> None:
        self._clock = clock
        environment = Environment(
            loader=PackageLoader("orchestrator_console"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        for name in _format.__all__:
            environment.filters[name] = getattr(_format, name)
        self._environment = environment
        self._everywhere: dict[str, object] = {
            "title": config.title,
            "target": config.turn_target_ms,
            "sparkline": _charts.sparkline,
            "latency_chart": _charts.latency_chart,
            "versions": {name: asset.version for name, asset in assets.items()},
        }

    @property
    def now(self) -> datetime:
        """The instant that ages are counted to."""
        return self._clock.now()

    def render(self, template: str, base: str, values: Mapping[str, object]) -> str:
        """The text of a template; `base` is the path under which the console stands, without a slash at its end."""
        return self._environment.get_template(template).render(
            {**self._everywhere, **values, "now": self.now, "base": base}
        )
