"""What every change must pass, and more: `uv run nox` runs the default sessions, `uv run nox --list` shows all.

Each session has one concern and a virtual environment of its own; what is installed there comes from the lock. Sessions that work package by package take
the short names of packages: `uv run nox -s tests -- calls utils`. All packages are tried before a session fails.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import tomllib
from pathlib import Path

import nox

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT))

from scripts import (  # noqa: E402
    judges,  # noqa: F401 - its sessions are registered; nox does not put the root on the path  # pyright: ignore[reportUnusedImport]
    layers,
    workspace,
)
from scripts.steps import (  # noqa: E402
    LANES,
    STATE,
    WHEELS,
    build_wheels,
    for_each,
    fresh_environment,
    having,
    install_into,
    locked_versions,
    only_ours,
    pytest,
    selected,
    sync,
    sync_group,
    wheel_paths,
    wheels,
)

REQUIREMENTS = ROOT / "services" / "orchestrator" / "requirements.txt"

STATE.mkdir(exist_ok=True)  # nox makes it with the first environment, which may be after the first report

nox.needs_version = ">=2026.10"
nox.options.default_venv_backend = "uv"
nox.options.reuse_venv = "yes"
nox.options.report = str(STATE / "sessions.json")


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff: rules and format; `-- --fix` mends what can be mended."""
    sync_group(session, "lint")
    fix = "--fix" in session.posargs
    session.run("ruff", "check", *(["--fix"] if fix else []), ".")
    session.run("ruff", "format", *([] if fix else ["--check"]), ".")


@nox.session
def types(session: nox.Session) -> None:
    """Mypy and pyright, both strict, over all sources."""
    sync(session, "types", "dev")
    sources = [str((member.folder / "src").relative_to(ROOT)) for member in workspace.find_members()]
    sources += [str(file.relative_to(ROOT)) for file in sorted(ROOT.glob("scripts/*.py"))] + ["noxfile.py"]
    session.run("mypy", *sources)
    session.run("pyright", "--project", "pyproject.toml", "--pythonpath", f"{session.bin}/python", *sources)


@nox.session
def imports(session: nox.Session) -> None:
    """Who imports whom (import-linter), and what is imported but not declared, or declared but not imported (deptry)."""
    sync(session, "imports")
    contracts = STATE / "importlinter.toml"
    contracts.write_text(layers.configuration(member.module for member in workspace.find_members()))
    session.run("lint-imports", "--no-cache", "--no-logo", "--config", str(contracts))
    ignores = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["deptry"]["per_rule_ignores"]
    flags = ["--per-rule-ignores", ",".join(f"{rule}={'|'.join(names)}" for rule, names in ignores.items())]

    def check(member: workspace.Member) -> None:
        with session.chdir(member.folder):
            session.run("deptry", "src", "--no-ansi", *flags)

    for_each(session, selected(session), check)


@nox.session(venv_backend="none")
def parity(session: nox.Session) -> None:
    """The ledger of the existing service's functionality: every answer holds, none is missing."""
    session.run(sys.executable, "-m", "scripts.parity", "docs/parity.toml", external=True)


@nox.session(venv_backend="none")
def asvs(session: nox.Session) -> None:
    """Every requirement of OWASP ASVS 5.0.0 has an answer that holds: a test, a reason, or the package that will bring it."""
    session.run(sys.executable, "-m", "scripts.asvs", "docs/asvs.toml", external=True)


@nox.session
def lock(session: nox.Session) -> None:
    """The lock fits the pyprojects, sibling bounds are written and true, and requirements.txt is what the lock says."""
    session.run_install("uv", "lock", "--check", "--quiet")
    complaints = workspace.bound_complaints(workspace.find_members())
    if complaints:
        session.error("\n".join(complaints))
    sync(session)
    # uv does not check the bounds between siblings when it resolves a workspace; this does.
    session.run("uv", "pip", "check", "--python", session.virtualenv.location, external=True)
    if REQUIREMENTS.parent.exists() and (not REQUIREMENTS.exists() or REQUIREMENTS.read_text() != export(session)):
        session.error(f"{REQUIREMENTS.relative_to(ROOT)} is not what the lock says: run nox -s requirements")


def export(session: nox.Session) -> str:
    """The application's third-party requirements, with hashes."""
    flags = ["--package", "orchestrator-app", "--no-dev", "--no-emit-workspace", "--frozen", "--no-header"]
    return str(session.run("uv", "export", "--quiet", *flags, silent=True, external=True))


@nox.session(default=False)
def requirements(session: nox.Session) -> None:
    """Write services/orchestrator/requirements.txt from the lock."""
    REQUIREMENTS.write_text(export(session))


@nox.session
def build(session: nox.Session) -> None:
    """Two builds of all wheels are the same to the byte."""
    again = STATE / "wheels-again"
    first = digests(wheels(session))
    build_wheels(session, again)
    second = digests(again)
    for name in sorted(first.keys() | second.keys()):
        session.log(f"{first.get(name, 'missing')[:12]}  {name}")
    if first != second:
        changed = sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))
        session.error(f"a second build differs: {', '.join(changed)}")


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of every wheel."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.glob("*.whl")}


@nox.session
def wheel(session: nox.Session) -> None:
    """Each package's wheel works alone: installed without extras, imported, and its own tests run (those in tests/extras left out)."""
    constraints = ["--constraint", str(locked_versions(session))]
    wheels(session)

    def check(member: workspace.Member) -> None:
        python = fresh_environment(session, member.short)
        install_into(session, python, *constraints, *wheel_paths(session, member))
        session.run(str(python), "-I", "-c", f"import {member.module}", external=True)
        only_ours(session, python)
        install_into(session, python, *constraints, "--group", str(ROOT / "pyproject.toml:test"))
        tests = str(member.folder / "tests")
        program = str(python.parent / "pytest")
        quick = ["-m", "not slow and not soak"]  # the session `tests` runs the slow ones, on the same code
        pytest(session, member.short, tests, f"--ignore={tests}/extras", *quick, program=program, at_end=True)

    for_each(session, selected(session, services=False), check, lanes=LANES)


@nox.session
def service(session: nox.Session) -> None:
    """The application as it is deployed: from wheels, nothing editable; it says its version and its help, and checks its settings."""
    app = next((member for member in workspace.find_members() if member.short == "app"), None)
    if app is None:
        session.error("services/orchestrator is not in the workspace")
    python = fresh_environment(session, "app")
    install_into(session, python, "--constraint", str(locked_versions(session)), *wheel_paths(session, app))
    only_ours(session, python)
    # A home of its own: what the first start writes must not depend on who ran it before.
    home = Path(session.create_tmp()) / "home"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    environment = {"HOME": str(home), "XDG_DATA_HOME": str(home / "data"), "XDG_STATE_HOME": str(home / "state")}
    with session.chdir(home):
        for arguments in (["--version"], ["--help"], ["check"]):
            session.run(str(python.parent / "orchestrator"), *arguments, env=environment, external=True)


@nox.session(default=False)
def wheelhouse(session: nox.Session) -> None:
    """The README's recipe for other services: a folder of wheels, and pip."""
    python = fresh_environment(session, "wheelhouse")
    install_into(session, python, "pip")
    record = STATE / "wheelhouse.json"
    recipe = ["install", "--find-links", str(wheels(session)), "orchestrator-utils"]
    session.run(str(python), "-m", "pip", "--quiet", *recipe, "--report", str(record), external=True)
    for each in json.loads(record.read_text())["install"]:
        name, url = each["metadata"]["name"], each["download_info"]["url"]
        if name.startswith(workspace.FAMILY) and not url.startswith(WHEELS.as_uri()):
            session.error(f"{name} came from {url}, not from the folder of wheels")
    session.run(str(python), "-I", "-c", "import orchestrator_utils", external=True)


@nox.session
def tests(session: nox.Session) -> None:
    """All tests of each package, with all extras and real servers; without names, those of the workspace's own scripts too."""
    sync(session, "test", "demo", "imports")

    members = selected(session)
    alone = len(members) == 1

    def check(member: workspace.Member) -> None:
        pytest(session, member.short, str(member.folder / "tests"), at_end=not alone)

    if not session.posargs:
        session.log("── scripts")
        pytest(session, "scripts", "scripts/tests")
    for_each(session, members, check, lanes=1 if alone else LANES)


@nox.session
def docs(session: nox.Session) -> None:
    """Every example of every README, document and docstring runs."""
    sync(session, "test", "demo")
    members = workspace.find_members()
    documents = [
        *ROOT.glob("*.md"),
        ROOT / "docs",
        *(each for member in members for each in (member.folder / "README.md", member.folder / "src")),
    ]
    documents += [member.folder / "docs" for member in members]
    pytest(session, "documents", "-p", "orchestrator_testing.docs", *(str(each) for each in documents if each.exists()))


@nox.session(default=False)
def soak(session: nox.Session) -> None:
    """The long versions of the property and fault tests."""
    sync(session, "test", "demo")

    def check(member: workspace.Member) -> None:
        pytest(
            session,
            member.short,
            *("-m", "soak", "-o", "faulthandler_timeout=0"),
            str(member.folder / "tests"),
            may_be_empty=True,
        )

    for_each(session, selected(session), check)


@nox.session(default=False)
def lowest(session: nox.Session) -> None:
    """Each package's tests with the oldest third parties that its bounds allow."""
    members = workspace.find_members()
    testing = next(member for member in members if member.short == "testing")

    def check(member: workspace.Member) -> None:
        python = fresh_environment(session, member.short)
        # Folders, not wheels: for a wheel its dependencies are not direct, and nothing would be lowered.
        family = {each.name: each for each in [*workspace.closure(member, members, extras=True), testing]}
        folders = [each.with_extras if each in (member, testing) else str(each.folder) for each in family.values()]
        install_into(session, python, "--resolution", "lowest-direct", *folders)
        groups = [flag for group in ("test", "demo") for flag in ("--group", str(ROOT / f"pyproject.toml:{group}"))]
        install_into(session, python, *groups)
        pytest(session, member.short, str(member.folder / "tests"), program=str(python.parent / "pytest"))

    for_each(session, selected(session, services=False), check)


@nox.session
def budget(session: nox.Session) -> None:
    """What importing a package costs, what it brings along, how large it is; limits in budgets.toml."""
    sync(session)
    session.run("python", "-m", "scripts.budget", "budgets.toml", *session.posargs)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """The benchmarks of each package: paired ratios to a named baseline."""
    sync(session, "test", "demo", "caches")

    def check(member: workspace.Member) -> None:
        session.run("python", "-m", "orchestrator_performance.benchmarking", str(member.folder / "benchmarks"))

    for_each(session, having(session, "benchmarks"), check)


@nox.session
def api(session: nox.Session) -> None:
    """Breaks of the public API since each package's last tag (griffe)."""
    sync(session, "release")

    def check(member: workspace.Member) -> None:
        tag = last_tag(session, member)
        if tag is None:
            session.log(f"{member.name} has no tag yet: nothing to break")
            return
        source = str((member.folder / "src").relative_to(ROOT))
        session.run("griffe", "check", member.module, "--search", source, "--against", tag, "--verbose")

    for_each(session, selected(session, services=False), check)


def last_tag(session: nox.Session, member: workspace.Member) -> str | None:
    """The newest release tag of the member."""
    listing = ["git", "tag", "--list", f"{member.name}/v*", "--sort=-version:refname"]
    tags = str(session.run(*listing, silent=True, external=True)).split()
    return tags[0] if tags else None


@nox.session(default=False)
def release(session: nox.Session) -> None:
    """`-- PACKAGE VERSION`: version, lock, changelog and tag of one package."""
    if len(session.posargs) != 2:
        session.error("say which package and which version: nox -s release -- utils 0.2.0")
    name, version = session.posargs
    member = workspace.select(workspace.find_members(), [name])[0]
    if session.run("git", "status", "--porcelain", silent=True, external=True):
        session.error("there are uncommitted changes: commit or stash them first")
    sync_group(session, "release")
    session.run("uv", "version", "--package", member.name, version, "--no-sync", external=True)
    folder = str(member.folder.relative_to(ROOT))
    session.run("towncrier", "build", "--yes", "--dir", folder, "--config", "pyproject.toml", "--version", version)
    session.run("git", "add", folder, "uv.lock", external=True)
    session.run("git", "commit", "--quiet", "-m", f"Release {member.name} {version}", external=True)
    session.run(
        "git", "tag", "--annotate", f"{member.name}/v{version}", "-m", f"{member.name} {version}", external=True
    )
