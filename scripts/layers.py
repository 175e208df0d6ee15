"""Who may import whom: the order of the layers, as a configuration for import-linter.

    python -m scripts.layers .nox/importlinter.toml

The order is fixed here, once; what is not in the workspace yet is left out, and what has no place here is refused.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from scripts.workspace import find_members

PREFIX = "orchestrator_"
CONCERNS = (
    "auth",
    "calls",
    "config",
    "database",
    "monitoring",
    "performance",
    "resilience",
    "secrets",
    "security",
    "utils",
)
LAYERS = (("app",), ("console", "testing"), ("compliance", "disaster_recovery"), CONCERNS, ("kernel",))
"""From the top down. Members of one layer never import each other."""

CROSSINGS = {
    "compliance": {"security"},
    "disaster_recovery": {"database"},
    "console": set[str](),
    "testing": set[str](),
}
"""What the layers between the application and the concerns may use besides the kernel."""


def contracts(modules: Iterable[str]) -> list[dict[str, object]]:
    """The contracts for the modules there are.

    Raises:
        LookupError: A module has no layer.
    """
    present = {module.removeprefix(PREFIX) for module in modules}
    homeless = present - {name for layer in LAYERS for name in layer}
    if homeless:
        raise LookupError(f"{', '.join(sorted(homeless))} has no layer; give it one in scripts/layers.py")
    layers = [[PREFIX + name for name in layer if name in present] for layer in LAYERS]
    found: list[dict[str, object]] = [
        {
            "id": "layers",
            "name": "A layer imports only those below, and members of one layer never each other",
            "type": "layers",
            "layers": [" | ".join(layer) for layer in layers if layer],
        }
    ]
    for name, allowed in CROSSINGS.items():
        below = [each for layer in LAYERS[_layer_of(name) + 1 : -1] for each in layer]
        forbidden = [PREFIX + each for each in below if each in present and each not in allowed]
        if name in present and forbidden:
            uses = " and ".join(["the kernel", *sorted(allowed)])
            contract = {"id": name, "name": f"{name} uses {uses}", "type": "forbidden"}
            # Through what is allowed it may reach further: that is the other's business.
            found.append(
                {
                    **contract,
                    "source_modules": [PREFIX + name],
                    "forbidden_modules": forbidden,
                    "allow_indirect_imports": True,
                }
            )
    return found


def _layer_of(name: str) -> int:
    return next(index for index, layer in enumerate(LAYERS) if name in layer)


def configuration(modules: Iterable[str]) -> str:
    """The contracts as TOML."""
    modules = sorted(modules)
    lines = ["[tool.importlinter]", f"root_packages = {json.dumps(modules)}"]
    for contract in contracts(modules):
        lines += [
            "",
            "[[tool.importlinter.contracts]]",
            *(f"{key} = {json.dumps(value)}" for key, value in contract.items()),
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(configuration(member.module for member in find_members()))
