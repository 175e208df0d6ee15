"""What several sessions of nox do: installing, building, running pytest, working through the packages."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nox
from nox.command import CommandFailed

from scripts import reports, workspace

STATE = workspace.ROOT / ".nox"
REPORTS = STATE / "reports"
WHEELS = STATE / "wheels"
LOCKED_VERSIONS = STATE / "constraints.txt"

LANES = 2
"""How many packages are tested at once: most of the time a test waits for something other than the processor."""

_done: set[str] = set()
"""What this run has prepared already."""
_preparing = threading.Lock()


def sync(session: nox.Session, *groups: str) -> None:
    """Install all packages, editable, with all extras, and the groups, as the lock says."""
    flags = [
        "--locked",
        "--all-packages",
        "--all-extras",
        "--no-default-groups",
        *(f"--group={group}" for group in groups),
    ]
    session.run_install("uv", "sync", "--quiet", *flags, env={"UV_PROJECT_ENVIRONMENT": session.virtualenv.location})


def sync_group(session: nox.Session, group: str) -> None:
    """Install a group of tools and nothing else, as the lock says."""
    flags = ["--locked", f"--only-group={group}"]
    session.run_install("uv", "sync", "--quiet", *flags, env={"UV_PROJECT_ENVIRONMENT": session.virtualenv.location})


def selected(session: nox.Session, *, services: bool = True) -> list[workspace.Member]:
    """The members that the session's arguments name, or all."""
    members = [member for member in workspace.find_members() if services or not member.is_service]
    try:
        return workspace.select(members, [name for name in session.posargs if not name.startswith("-")])
    except LookupError as error:
        session.error(str(error))


def having(session: nox.Session, folder: str) -> list[workspace.Member]:
    """The selected members that have this folder."""
    return [member for member in selected(session) if (member.folder / folder).is_dir()]


def for_each(
    session: nox.Session,
    members: Sequence[workspace.Member],
    work: Callable[[workspace.Member], None],
    *,
    lanes: int = 1,
) -> None:
    """Do the work for every member, then fail if it failed for any.

    Args:
        session: Whose work it is.
        members: In the order in which they are begun; with lanes, services first, which take longest.
        work: What to do; with lanes, what it runs should be silent, and log its output at its end.
        lanes: How many members are worked on at once.
    """
    failed: list[str] = []

    def one(member: workspace.Member) -> None:
        session.log(f"── {member.short}")
        try:
            work(member)
        except CommandFailed:
            failed.append(member.short)

    with ThreadPoolExecutor(lanes) as pool:
        ordered = sorted(members, key=lambda member: not member.is_service) if lanes > 1 else members
        for done in [pool.submit(one, member) for member in ordered]:
            done.result()
    if failed:
        session.error(f"failed for {', '.join(sorted(failed))}")


def pytest(
    session: nox.Session,
    report: str,
    *arguments: str,
    program: str = "pytest",
    may_be_empty: bool = False,
    at_end: bool = False,
) -> None:
    """Run pytest, keep its report, and fail on a skipped test as on a failed one.

    Args:
        session: Whose.
        report: Names it.
        arguments: Of pytest.
        program: Another pytest than that of the session's environment.
        may_be_empty: Whether it is right that no test is selected.
        at_end: Show the output at the end and in one piece, as several runs at once need it.
    """
    with _preparing:
        if session.name not in _done:
            # Those of other sessions stay: a run may have two parts.
            for old in REPORTS.glob(f"{session.name}.*.xml"):
                old.unlink()
            _done.add(session.name)
    file = REPORTS / f"{session.name}.{report}.xml"
    nothing_collected = [5] if may_be_empty else []
    command = [program, "-q", f"--junitxml={file}", "-o", "junit_family=xunit2", *arguments]
    output = session.run(
        *command,
        external=program != "pytest",
        success_codes=[0, *nothing_collected],
        env={"PY_COLORS": "0"},
        silent=at_end,
    )
    if at_end:
        session.log(f"── {report}, done\n{output}")
    skipped = reports.read_report(file).skipped
    if skipped:
        session.warn(f"{skipped} tests were skipped: run them or deselect them")
        raise CommandFailed


def build_wheels(session: nox.Session, folder: Path) -> None:
    """Build the wheels of all members into an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    session.run_install("uv", "build", "--quiet", "--all-packages", "--wheel", "--out-dir", str(folder))


def wheels(session: nox.Session) -> Path:
    """The folder of wheels, built once in a run."""
    if "wheels" not in _done:
        build_wheels(session, WHEELS)
        _done.add("wheels")
    return WHEELS


def wheel_paths(session: nox.Session, member: workspace.Member) -> list[str]:
    """The wheels of the member and of the siblings it needs, as paths: a name could be answered by a stranger's package in an index."""
    family = workspace.closure(member, workspace.find_members())
    folder = wheels(session)
    return [str(next(folder.glob(f"{each.name.replace('-', '_')}-*.whl"))) for each in family]


def locked_versions(session: nox.Session) -> Path:
    """A constraints file with the locked version of every third party."""
    if "constraints" not in _done:
        everything = [
            "--all-packages",
            "--all-extras",
            "--all-groups",
            "--no-emit-workspace",
            "--no-hashes",
            "--no-header",
        ]
        session.run_install(
            "uv", "export", "--quiet", "--frozen", *everything, "--output-file", str(LOCKED_VERSIONS), silent=True
        )
        _done.add("constraints")
    return LOCKED_VERSIONS


def fresh_environment(session: nox.Session, name: str) -> Path:
    """An empty virtual environment; the path of its interpreter."""
    folder = STATE / "isolated" / f"{session.name}-{name}"
    session.run_install("uv", "venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
    return folder / "bin" / "python"


def install_into(session: nox.Session, python: Path, *arguments: str) -> None:
    """`uv pip install` into that environment; the workspace's wheels keep their version while their content changes, so never from a cache."""
    fresh = [flag for member in workspace.find_members() for flag in ("--refresh-package", member.name)]
    session.run_install("uv", "pip", "install", "--quiet", "--python", str(python), *fresh, *arguments)


def only_ours(session: nox.Session, python: Path) -> None:
    """Fail if a distribution of the family came from an index instead of from our folder."""
    frozen = str(session.run("uv", "pip", "freeze", "--python", str(python), silent=True, external=True))
    strangers = [line for line in frozen.splitlines() if line.startswith(workspace.FAMILY) and "@ file://" not in line]
    if strangers:
        session.warn(f"not built here: {', '.join(strangers)}")
        raise CommandFailed
