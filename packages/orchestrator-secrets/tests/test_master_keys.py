"""The master key file: private, whole or not there, and made once."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_secrets.envelope import FileUnsafe, MasterKeyFile, Wrapped

PROGRAM = "import asyncio, pathlib, sys; from orchestrator_secrets.envelope import MasterKeyFile; "
SHOW_IDS = PROGRAM + "print(*asyncio.run(MasterKeyFile(pathlib.Path(sys.argv[1])).ids()))"
DIE_AT_LINE = (
    PROGRAM
    + """
import os, signal
path, action, last = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
def attempt(fatal):
    lines = 0
    def trace(frame, event, argument):
        nonlocal lines
        if "orchestrator_secrets" not in frame.f_code.co_filename:
            return None
        if event == "line":
            lines += 1
            if lines == fatal:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace
    folder = path / str(fatal)
    sys.settrace(trace)
    keys = MasterKeyFile(folder / "master.keys")
    if action == "add":
        keys.add()
    (folder / "done").touch()
    os._exit(0)
for fatal in range(1, last):
    child = os.fork()
    if not child:
        attempt(fatal)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        sys.exit(os.waitstatus_to_exitcode(status))
sys.exit("not enough lines")
"""
)


async def test_the_first_start_makes_a_private_file(tmp_path: Path) -> None:
    path = tmp_path / "master.keys"
    os.umask(previous := os.umask(0))
    os.umask(0)
    try:
        keys = MasterKeyFile(path)
    finally:
        os.umask(previous)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / ".master.keys.lock").stat().st_mode) == 0o600
    assert await MasterKeyFile(path, create=False).ids() == await keys.ids()
    assert not (tmp_path / ".master.keys.new").exists()


def test_many_processes_starting_at_once_share_one_key(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SHOW_IDS, str(tmp_path / "master.keys")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    answers = {process.communicate(timeout=60)[0] for process in processes}
    assert [process.returncode for process in processes] == [0] * 4
    assert len(answers) == 1


async def test_many_threads_starting_at_once_share_one_key(tmp_path: Path) -> None:
    together = threading.Barrier(16)

    def start() -> Wrapped:
        together.wait(10)
        return asyncio.run(MasterKeyFile(tmp_path / "master.keys").wrap(b"k" * 32, b"context"))

    with ThreadPoolExecutor(16) as pool:
        wrapped = await asyncio.gather(*[asyncio.wrap_future(pool.submit(start)) for _ in range(16)])
    keys = MasterKeyFile(tmp_path / "master.keys")
    assert [await keys.unwrap(each, b"context") for each in wrapped] == [b"k" * 32] * 16


@pytest.mark.parametrize("action", ["create", "add"])
def test_a_start_killed_at_any_line_leaves_a_file_that_works(tmp_path: Path, action: str) -> None:
    last = 250
    for fatal in range(1, last):
        (tmp_path / str(fatal)).mkdir()
        if action == "add":
            MasterKeyFile(tmp_path / str(fatal) / "master.keys")
    run = subprocess.run(
        [sys.executable, "-c", DIE_AT_LINE, str(tmp_path), action, str(last)], timeout=120, check=False
    )
    assert run.returncode == 0
    killed = 0
    for fatal in range(1, last):
        folder = tmp_path / str(fatal)
        if (folder / "done").exists():
            break
        killed += 1
        before = (folder / "master.keys").exists()
        ids = asyncio.run(MasterKeyFile(folder / "master.keys").ids())
        assert len(ids) in ({1, 2} if action == "add" else {1})
        if before:
            assert asyncio.run(MasterKeyFile(folder / "master.keys").ids()) == ids
        MasterKeyFile(folder / "master.keys").add()
    assert killed > 20


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o620])
def test_a_file_that_others_can_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "master.keys"
    MasterKeyFile(path)
    path.chmod(mode)
    with pytest.raises(FileUnsafe, match=rf"mode {mode:o}.*chmod 600 {path}"):
        MasterKeyFile(path)


async def test_a_file_that_becomes_readable_while_in_use_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "master.keys"
    keys = MasterKeyFile(path)
    path.write_text(path.read_text())
    path.chmod(0o644)
    with pytest.raises(FileUnsafe):
        await keys.wrap(b"k" * 32, b"")


def test_links_folders_and_pipes_are_refused(tmp_path: Path) -> None:
    MasterKeyFile(tmp_path / "real")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    (tmp_path / "folder").mkdir(mode=0o700)
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name, told in (("link", "symbolic"), ("dangling", "symbolic"), ("folder", "regular"), ("pipe", "regular")):
        with pytest.raises(FileUnsafe, match=told):
            MasterKeyFile(tmp_path / name)
    assert not (tmp_path / "nothing").exists()


def test_a_place_that_cannot_be_used_is_told_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be written: No such file"):
        MasterKeyFile(tmp_path / "missing" / "master.keys")
    with pytest.raises(ConfigurationError, match="cannot be opened: No such file"):
        MasterKeyFile(tmp_path / "master.keys", create=False)
    (tmp_path / "large").write_bytes(b" " * (1024 * 1024 + 1))
    (tmp_path / "large").chmod(0o600)
    with pytest.raises(ConfigurationError, match="larger"):
        MasterKeyFile(tmp_path / "large")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda line: line[:-10], "line 2 is not a master key"),
        (lambda line: line.replace("=", ""), "line 2 is not a master key"),
        (lambda line: line.replace("mk-", "mk "), "line 2 is not a master key"),
        (lambda line: json.dumps({**json.loads(line), "created_at": "yesterday"}), "line 2 is not a master key"),
        (lambda line: json.dumps({**json.loads(line), "key": "c2hvcnQ="}), "line 2 holds a key of 5 bytes"),
        (lambda line: json.dumps({"key": json.loads(line)["key"]}), "line 2 is not a master key"),
        (lambda line: json.dumps([json.loads(line)["key"]]), "line 2 is not a master key"),
        (lambda line: "[" * 50_000 + line, "line 2 is not a master key"),
        (lambda line: line + "\n" + line, "none twice"),
    ],
)
def test_a_damaged_file_is_refused_without_showing_a_key(tmp_path: Path, change, told: str) -> None:
    path = tmp_path / "master.keys"
    MasterKeyFile(path).add()
    first, second = path.read_text().splitlines()
    key = json.loads(second)["key"]
    path.write_text(f"{first}\n{change(second)}\n")
    with pytest.raises(ConfigurationError, match=told) as caught:
        MasterKeyFile(path)
    assert key[:12] not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_an_empty_file_is_refused_and_not_filled(tmp_path: Path) -> None:
    path = tmp_path / "master.keys"
    path.touch(mode=0o600)
    with pytest.raises(ConfigurationError, match="at least one"):
        MasterKeyFile(path)
    assert path.read_bytes() == b""


async def test_keys_added_by_another_process_are_seen_at_the_next_use(tmp_path: Path) -> None:
    path = tmp_path / "master.keys"
    running, other = MasterKeyFile(path), MasterKeyFile(path)
    (first,) = await running.ids()
    wrapped = await running.wrap(b"k" * 32, b"context")
    second = other.add()
    assert await running.ids() == (first, second)
    assert (await running.wrap(b"k" * 32, b"context")).master_key_id == second
    assert await running.unwrap(wrapped, b"context") == b"k" * 32


async def test_adding_from_many_places_loses_no_key(tmp_path: Path) -> None:
    path = tmp_path / "master.keys"
    files = [MasterKeyFile(path) for _ in range(10)]
    added = await asyncio.gather(*[asyncio.to_thread(file.add) for file in files])
    assert set(added) < set(await MasterKeyFile(path).ids())


async def test_only_an_old_and_unused_key_can_be_removed(tmp_path: Path) -> None:
    keys = MasterKeyFile(tmp_path / "master.keys")
    (first,) = await keys.ids()
    for master_key_id, in_use, told in (
        (first, [], "newest"),
        (first, [first], "rewrap"),
        ("mk-unknown", [], "no master"),
    ):
        with pytest.raises(ConfigurationError, match=told):
            keys.remove(master_key_id, in_use=in_use)
    second = keys.add()
    keys.remove(first, in_use=[second])
    assert await MasterKeyFile(tmp_path / "master.keys").ids() == (second,)
    assert first not in (tmp_path / "master.keys").read_text()


async def test_the_age_of_each_key_is_told(tmp_path: Path) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    keys = MasterKeyFile(tmp_path / "master.keys")
    added = keys.add()
    created = keys.created()

    assert tuple(created) == await keys.ids()
    assert list(created)[-1] == added
    assert all(before <= at <= datetime.now(UTC) for at in created.values())


def test_a_key_without_a_zone_is_of_utc(tmp_path: Path) -> None:
    path = tmp_path / "master.keys"
    MasterKeyFile(path)
    line = {**json.loads(path.read_text()), "created_at": "2026-01-01T00:00:00"}
    path.write_text(json.dumps(line) + "\n")
    assert list(MasterKeyFile(path).created().values()) == [datetime(2026, 1, 1, tzinfo=UTC)]
