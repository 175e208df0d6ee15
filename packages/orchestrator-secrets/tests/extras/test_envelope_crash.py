"""SIGKILL at any line: never a sealed blob whose key is lost, never a destroyed key that opens."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from orchestrator_kernel.ports import Erased, SealScope, SystemClock
from orchestrator_secrets.envelope import EnvelopeSealer, MasterKeyFile
from orchestrator_secrets.migrations import HISTORY
from orchestrator_secrets.sql_key_store import SqlKeyStore

ALICE = SealScope("t1", "alice", "notes")
LAST = 600
STEPS = pytest.mark.parametrize("step", [11, pytest.param(1, marks=pytest.mark.soak)])
"""Every eleventh line in the usual run; every line in the long one."""


def engine_on(folder: Path) -> AsyncEngine:
    return create_async_engine(f"sqlite+aiosqlite:///{folder / 'keys.db'}")


async def prepare(folder: Path, *, sealed: bool) -> None:
    engine = engine_on(folder)
    async with engine.connect() as connection:
        await connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    async with engine.begin() as connection:
        await connection.run_sync(HISTORY.upgrade)
    if sealed:
        sealer = EnvelopeSealer(MasterKeyFile(folder / "master.keys"), SqlKeyStore(engine), clock=SystemClock())
        (folder / "sealed").write_bytes(await sealer.seal(b"data", ALICE))
    await engine.dispose()


def crash(root: Path, action: str, step: int) -> list[Path]:
    """The folders of all runs that were killed, in the order of their last line."""
    template = root / "template"
    template.mkdir()
    asyncio.run(prepare(template, sealed=action != "seal"))
    for fatal in range(1, LAST, step):
        shutil.copytree(template, root / str(fatal))
    script = Path(__file__).with_name("crashing_process.py")
    subprocess.run([sys.executable, script, str(root), action, str(LAST), str(step)], timeout=180, check=True)
    survivor = next(fatal for fatal in range(1, LAST, step) if (root / str(fatal) / "survived").exists())
    assert survivor > 50
    return [root / str(fatal) for fatal in range(1, survivor, step)]


async def state_after(folder: Path) -> str:
    """Whether what was sealed opens, and something new can be sealed; the same answer to both, or it is a defect."""
    engine = engine_on(folder)
    sealer = EnvelopeSealer(MasterKeyFile(folder / "master.keys"), SqlKeyStore(engine), clock=SystemClock())
    try:
        await sealer.check()
        sealed = folder / "sealed"
        if sealed.exists():
            try:
                assert await sealer.open(sealed.read_bytes(), ALICE) == b"data"
            except Erased:
                with pytest.raises(Erased):
                    await sealer.seal(b"more", ALICE)
                return "erased"
        again = await sealer.seal(b"more", ALICE)
        assert await sealer.open(again, ALICE) == b"more"
        return "kept" if sealed.exists() else "nothing"
    finally:
        await engine.dispose()


@STEPS
def test_a_seal_killed_at_any_line(tmp_path: Path, step: int) -> None:
    states = [asyncio.run(state_after(folder)) for folder in crash(tmp_path, "seal", step)]
    assert set(states) <= {"nothing", "kept"}


@STEPS
def test_a_destroy_killed_at_any_line(tmp_path: Path, step: int) -> None:
    folders = crash(tmp_path, "destroy", step)
    states = [asyncio.run(state_after(folder)) for folder in folders]
    assert set(states) == {"kept", "erased"}
    assert all(
        state == "erased" for folder, state in zip(folders, states, strict=True) if (folder / "destroyed").exists()
    )
    assert states == sorted(states, key=["kept", "erased"].index)


@STEPS
def test_a_change_of_the_master_key_killed_at_any_line(tmp_path: Path, step: int) -> None:
    assert {asyncio.run(state_after(folder)) for folder in crash(tmp_path, "rewrap", step)} == {"kept"}
