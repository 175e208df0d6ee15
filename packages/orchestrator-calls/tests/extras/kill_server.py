"""Plays the call again and again, each time in a fresh fork that is killed at another point: `kill_server.py FOLDER SHARE TIMES SEED`.

One line of JSON per case. The parent imports everything once and never runs a loop, so a fork costs milliseconds.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
from pathlib import Path

from kill_world import play, verdict


def forked(folder: Path, kill_at: int | None) -> tuple[bool, int]:
    """Play in a child; whether it was killed, and how many points it passed."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            points = play(folder, kill_at)
            os.write(write, str(points).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(write)
    told = os.read(read, 32)
    os.close(read)
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    if not killed and status != 0:
        raise SystemExit(f"the call broke when it was to be killed at {kill_at} in {folder}")
    return killed, int(told or 0)


def tell(case: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(case) + "\n")
    sys.stdout.flush()


def main(folder: Path, share: float, times: int, seed: int) -> None:
    dice = random.Random(seed)
    straight = folder / "straight"
    straight.mkdir()
    _, points = forked(straight, None)
    tell({"points": points, **verdict(straight)})
    every = max(1, round(1 / share))
    for kill_at in range(1 + dice.randrange(every), points + 1, every):
        case = folder / f"case{kill_at}"
        case.mkdir()
        killed, _ = forked(case, kill_at)
        kills = int(killed)
        for _ in range(times - 1):
            killed, _ = forked(case, dice.randrange(1, points // 2))
            kills += killed
        forked(case, None)
        tell({"kill_at": kill_at, "kills": kills, **verdict(case)})
        shutil.rmtree(case)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
