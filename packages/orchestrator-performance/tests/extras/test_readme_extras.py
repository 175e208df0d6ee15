"""The README's functions that need an extra or a server, called."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from orchestrator_kernel.ports import SealScope

README = Path(__file__).parents[2] / "README.md"


class Plain:
    """Stands where a sealer would; what sealing is worth is tested with the cache."""

    async def seal(self, data: bytes, scope: SealScope) -> bytes:
        return data[::-1]

    async def open(self, sealed: bytes, scope: SealScope) -> bytes:
        return sealed[::-1]

    async def destroy(self, tenant: str, subject: str) -> bool:
        return False


@pytest.fixture(scope="module")
def readme() -> dict:
    """The names that the first blocks define."""
    blocks = re.findall(r"^```python\n(.*?)^```$", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    namespace: dict[str, object] = {"__name__": "readme"}
    for block in blocks:
        if "orchestrator_performance.caching" in block or "connection_pools" in block:
            exec(compile(block, str(README), "exec"), namespace)
    return namespace


@pytest.mark.server
def test_the_second_level(readme: dict, valkey_database: str):
    before = readme["reads"]
    asyncio.run(readme["with_valkey"](valkey_database, Plain()))
    assert readme["reads"] == before + 1


def test_the_pools(readme: dict, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    asyncio.run(readme["with_pools"](f"sqlite:///{tmp_path / 'x.db'}"))
    assert "database 0 of 10 in use, 0 wait" in capsys.readouterr().out
