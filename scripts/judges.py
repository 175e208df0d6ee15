"""Sessions that hold us against others, and against people who mean ill: the field's SDKs and tools, browsers, attackers. None is in the default run.

`noxfile.py` imports this module, which registers them.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import nox

from scripts import workspace
from scripts.steps import for_each, fresh_environment, having, install_into, pytest, sync, wheel_paths

APP = workspace.ROOT / "services" / "orchestrator"


@nox.session(default=False)
def oracle(session: nox.Session) -> None:
    """Ours against the field's own: official SDKs and recognizers judge the same inputs; `-- security --soak` for the long run."""
    sync(session, "test", "demo", "oracle", "oracle-auth")
    how_long = ["-m", "soak or not soak"] if "--soak" in session.posargs else []

    def check(member: workspace.Member) -> None:
        pytest(session, member.short, *how_long, str(member.folder / "oracle"))

    for_each(session, having(session, "oracle"), check)


@nox.session(default=False)
def promtool(session: nox.Session) -> None:
    """Prometheus's own tools judge what we write for them (Debian's package `prometheus`): rules and their tests, metrics, queries."""
    sync(session, "test")

    def check(member: workspace.Member) -> None:
        pytest(session, member.short, str(member.folder / "promtool"))

    for_each(session, having(session, "promtool"), check)


@nox.session(default=False)
def browser(session: nox.Session) -> None:
    """The operators' page in Debian's chromium: speed, accessibility, a call that is heard. Pictures are kept in .nox/screenshots."""
    if shutil.which("chromium") is None:
        session.error("there is no chromium: apt-get install chromium")
    sync(session, "test", "browser")

    def check(member: workspace.Member) -> None:
        pytest(session, member.short, str(member.folder / "browser"))

    for_each(session, having(session, "browser"), check)


@nox.session(default=False)
def schemathesis(session: nox.Session) -> None:
    """Requests made from the whole OpenAPI document against the running application: every answer is one that the document lists."""
    sync(session, "demo", "schemathesis")
    config = Path(session.create_tmp()) / "schemathesis.toml"
    template = APP / "schemathesis.toml"
    run = ["schemathesis", "--config-file", str(config), "run", "{url}/openapi.json", "--checks", "all"]
    # `Allow` tells the truth, which is more than the document says of one path: the address of `POST …/circuit-breakers/reset-all` is also that
    # of `GET …/circuit-breakers/{name}`, for a circuit that would have this name.
    run += ["--exclude-checks", "allow_header_conformance"]
    examples = session.posargs or ["--max-examples", "50"]
    session.run(
        "python", "-m", "scripts.running_app", "--unlimited", "--template", str(template), str(config), *run, *examples
    )


@nox.session(default=False)
def peers(session: nox.Session) -> None:
    """Known defects of other libraries of the field, side by side with ours, each library in an environment with ours alone."""

    def check(member: workspace.Member) -> None:
        python = fresh_environment(session, member.short)
        folder = member.folder / "peers"
        install_into(session, python, *wheel_paths(session, member), "--requirement", str(folder / "requirements.txt"))
        session.run(str(python), str(folder), external=True)

    for_each(session, having(session, "peers"), check)


@nox.session(default=False)
def canary(session: nox.Session) -> None:
    """Ten thousand callers tell who they are; nothing that leaves the process, and no byte at rest, knows them. `-- --callers 100` takes fewer."""
    sync(session, "test", "demo")
    callers = ["--callers", "10000", *session.posargs]
    pytest(session, "canary", "-o", "faulthandler_timeout=0", str(APP / "canary"), *callers)


PUBLIC_PATHS = (
    *(
        "/healthz",
        "/health/live",
        "/health/ready",
        "/.well-known/jwks.json",
        "/auth/login",
        "/auth/login/second-factor",
    ),
    *("/auth/refresh", "/auth/password/reset", "/auth/password/set"),
)


@nox.session(default=False)
def authz(session: nox.Session) -> None:
    """Every endpoint of the running application asked by everybody: the answer is the one that its rule declares. Prints how many there were."""
    sync(session, "test", "demo")
    pytest(session, "authz", "-s", "-o", "faulthandler_timeout=0", str(APP / "authz"), *session.posargs)


@nox.session(default=False)
def openbao(session: nox.Session) -> None:
    """The Vault client against a real OpenBao: sealed, killed, rotated, expired."""
    sync(session, "test")
    pytest(session, "openbao", "packages/orchestrator-auth/tests/extras/test_vault.py", *session.posargs)


@nox.session(default=False)
def pentest(session: nox.Session) -> None:
    """The penetration tester against the running application, as people of two tenants and as its administrator: no flaw."""
    sync(session, "demo")
    people = [
        each for name in ("operator:{token}", "admin:{admin}", "zoe:{zoe}", "bob:{bob}") for each in ("--as", name)
    ]
    attack = [
        "orchestrator-pentest",
        "{url}",
        "--openapi",
        "{openapi}",
        *people,
        "--privileged",
        "operator",
        "--privileged",
        "admin",
    ]
    attack += [
        "--expired",
        "{expired}",
        "--refresh",
        "{refresh}",
        "--admin-path",
        "/resilience",
        "--webhook",
        "{webhook}",
    ]
    attack += ["--websocket", "/v1/calls/{call}/events"]
    attack += [each for path in PUBLIC_PATHS for each in ("--public", path)]
    run = ["python", "-m", "scripts.running_app", "--production"]
    # A limit that is reached hides what lies behind it; the check of the limits comes last, as fast as it can.
    session.run(*run, "--unlimited", *attack, *session.posargs, "--rate", "50", "--skip", "rate-limit")
    session.run(*run, *attack, *session.posargs, "--rate", "200", "--only", "rate-limit")
