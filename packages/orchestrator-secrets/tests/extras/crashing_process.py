"""Kills itself at one line of our code after the other: `python crashing_process.py FOLDER seal|destroy|rewrap LAST STEP`.

`FOLDER/N` holds what the run that dies at line N works on; what it was told was done, it writes down there at once. STEP says how
many lines lie between two deaths.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from sqlalchemy.dialects.sqlite import aiosqlite as _loaded_before_the_fork  # noqa: F401
from sqlalchemy.ext.asyncio import create_async_engine

from orchestrator_kernel.ports import SealScope, SystemClock
from orchestrator_secrets import sql_key_store
from orchestrator_secrets.envelope import EnvelopeSealer, MasterKeyFile

ALICE = SealScope("t1", "alice", "notes")


def die_at(fatal: int) -> None:
    lines = 0

    def trace(frame: FrameType, event: str, argument: object):
        nonlocal lines
        if "orchestrator_secrets" not in frame.f_code.co_filename:
            return None
        if event == "line":
            lines += 1
            if lines == fatal:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    threading.settrace(trace)
    sys.settrace(trace)


async def work(folder: Path, action: str) -> None:
    keys = MasterKeyFile(folder / "master.keys")
    store = sql_key_store.SqlKeyStore(create_async_engine(f"sqlite+aiosqlite:///{folder / 'keys.db'}"))
    sealer = EnvelopeSealer(keys, store, clock=SystemClock())
    if action == "seal":
        (folder / "sealed").write_bytes(await sealer.seal(b"data", ALICE))
    elif action == "destroy":
        await sealer.destroy("t1", "alice")
        (folder / "destroyed").touch()
    else:
        keys.add()
        await sealer.rewrap()
        keys.remove((await keys.ids())[0], in_use=await store.master_keys())


def main() -> int:
    root, action, last, step = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    for fatal in range(1, last, step):
        child = os.fork()
        if not child:
            die_at(fatal)
            asyncio.run(work(root / str(fatal), action))
            sys.settrace(None)
            (root / str(fatal) / "survived").touch()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            return os.waitstatus_to_exitcode(status)
    return 2


if __name__ == "__main__":
    sys.exit(main())
