"""A call whose process is killed at every journal write and every effect goes on, and nothing is lost or done twice."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest
from calls_databases import helpers_importable

logger = logging.getLogger(__name__)
SERVER = Path(__file__).with_name("kill_server.py")
RESUME_LIMIT = 1.0


async def cases(folder: Path, share: float, times: int, seed: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The call without a kill, and what became of it with kills."""
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, str(SERVER), str(folder), str(share), str(times), str(seed)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=helpers_importable(),
    )
    told, errors = await server.communicate()
    assert server.returncode == 0, errors.decode()[-3000:]
    straight, *killed = map(json.loads, told.decode().splitlines())
    return straight, killed


def judge(straight: dict[str, Any], killed: list[dict[str, Any]]) -> None:
    assert straight["state"] == "ended"
    assert straight["runs"] == 1
    for case in killed:
        where = case["kill_at"]
        assert case["kills"] >= 1, where
        for nothing in ("lost", "unanswered", "started_twice", "begun_again", "run_twice"):
            assert case[nothing] == [], (where, nothing)
        for same in ("state", "runs", "said", "orders", "memory"):
            assert case[same] == straight[same], (where, same)
    resumed = max(seconds for case in killed for seconds in case["resumed"])
    control = max(case["started"] for case in killed)
    logger.info("%d killed; slowest resume %.3f s, slowest first start %.3f s", len(killed), resumed, control)
    if control > RESUME_LIMIT / 4:
        # Where a start that has nothing to read takes long, the machine is busy with other things.
        logger.warning("times of resumes are void")
        return
    assert resumed < RESUME_LIMIT


@pytest.mark.slow
async def test_a_call_that_is_killed_at_a_tenth_of_all_points(tmp_path):
    straight, killed = await cases(tmp_path, 0.1, 1, 20301)
    assert len(killed) >= straight["points"] // 10
    judge(straight, killed)


@pytest.mark.soak
async def test_a_call_that_is_killed_at_every_point(tmp_path):
    straight, killed = await cases(tmp_path, 1.0, 1, 1)
    assert len(killed) == straight["points"]
    judge(straight, killed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(3))
async def test_a_call_that_is_killed_three_times(tmp_path, seed):
    judge(*await cases(tmp_path, 0.5, 3, seed))
