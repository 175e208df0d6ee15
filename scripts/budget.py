"""What a package costs whoever imports it, against `budgets.toml`.

    python -m scripts.budget budgets.toml [PACKAGE ...]

Run it with an interpreter that has all packages and all extras installed. For every package it checks how many third-party distributions its base
install brings, that importing it loads nothing beyond them (no extra, though all are installed), what the import and the first public call cost as
ratios to importing the base dependencies alone, and how large its files and functions are. Costs are CPU time in fresh processes, interleaved; the smallest
of several rounds counts, and the base against itself shows how far the numbers can be trusted.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import packages_distributions, requires
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts import sizes
from scripts.workspace import FAMILY, ROOT, Member, find_members, select

LIMIT_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """The limits that hold for every package."""

    import_ratio: float
    help_cpu_seconds: float
    function_lines: int
    file_lines: int
    init_lines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The limits of one package.

    Attributes:
        distributions: Third-party distributions that the base install may bring.
        base: Python that imports what the package imports of its base dependencies.
        first_call: Python that makes the first public call of a typical user, imports included.
    """

    distributions: int
    base: str
    first_call: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """CPU seconds of the base's import, of the package's, and of the first call; `control` is the base once more."""

    base: float
    control: float
    package: float
    first_call: float

    @property
    def trusted(self) -> bool:
        """Whether the base, taken twice, came out the same within a tenth."""
        return max(self.base, self.control) <= 1.1 * min(self.base, self.control)

    def ratio(self, seconds: float) -> float:
        return seconds / min(self.base, self.control)


def base_install(name: str) -> set[str]:
    """The distributions that installing `name` without extras brings on this platform, itself included."""
    found: set[tuple[str, str]] = set()
    waiting: list[tuple[str, str]] = [(canonicalize_name(name), "")]
    while waiting:
        distribution, extra = waiting.pop()
        if (distribution, extra) in found:
            continue
        found.add((distribution, extra))
        for text in requires(distribution) or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                waiting += [(canonicalize_name(requirement.name), each) for each in ["", *requirement.extras]]
    return {distribution for distribution, _ in found}


def foreign_modules(loaded: Iterable[str], allowed: set[str], owners: dict[str, list[str]]) -> list[str]:
    """The loaded top-level modules that belong to installed distributions outside `allowed`."""
    return sorted(
        module
        for module in {name.partition(".")[0] for name in loaded}
        if module in owners and not {canonicalize_name(each) for each in owners[module]} & allowed
    )


def loaded_by(statement: str) -> list[str]:
    """The names in `sys.modules` after running the statement in a fresh process."""
    return _run(f"{statement}\nimport sys\nprint(*sys.modules)").split()


def cpu_seconds(statement: str) -> float:
    """CPU time of running the statement in a fresh process, without the interpreter's own start."""
    return float(_run(f"import time\nbegin = time.process_time()\n{statement}\nprint(time.process_time() - begin)"))


def _run(code: str) -> str:
    command = [sys.executable, "-I", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT_SECONDS)
    if done.returncode != 0:
        raise RuntimeError(f"this budget's Python does not run:\n{code}\n{done.stderr}")
    return done.stdout


def measure(module: str, budget: Budget, limit: float, *, fewest: int = 3, most: int = 15) -> Costs:
    """Take rounds until the control agrees and the limit is met, or `most` rounds are done."""
    statements = {
        "base": budget.base,
        "package": f"import {module}",
        "first_call": budget.first_call,
        "control": budget.base,
    }
    for statement in statements.values():
        _run(statement)  # writes the bytecode
    best = dict.fromkeys(statements, float("inf"))
    costs = Costs(**best)
    for done in range(1, most + 1):
        for name, statement in statements.items():
            best[name] = min(best[name], cpu_seconds(statement))
        costs = Costs(**best)
        enough = costs.trusted and max(costs.ratio(costs.package), costs.ratio(costs.first_call)) <= limit
        if done >= fewest and enough:
            break
    return costs


def check_package(member: Member, budget: Budget, house: House) -> list[str]:
    """Print the package's line and return what is over its budget."""
    allowed = base_install(member.name)
    third_party = sorted(name for name in allowed if not name.startswith(FAMILY))
    complaints: list[str] = []
    if len(third_party) > budget.distributions:
        names = ", ".join(third_party)
        complaints.append(
            f"the base install brings {len(third_party)} distributions, not {budget.distributions}: {names}"
        )
    foreign = foreign_modules(loaded_by(f"import {member.module}"), allowed, dict(packages_distributions()))
    if foreign:
        complaints.append(f"importing it loads {', '.join(foreign)}, which its base install does not bring")
    costs = measure(member.module, budget, house.import_ratio)
    for what, seconds in (("import", costs.package), ("first call", costs.first_call)):
        if costs.ratio(seconds) > house.import_ratio:
            complaints.append(
                f"{what} costs {costs.ratio(seconds):.2f} times its base's import, {house.import_ratio} is allowed"
            )
    source = member.folder / "src"
    measured = sizes.measure(source)
    complaints += sizes.complaints(measured, source, function_lines=house.function_lines, init_lines=house.init_lines)
    print(
        f"{member.short:20} {len(third_party):2} of {budget.distributions:2}   {costs.base * 1000:6.1f} ms"
        f"   {costs.ratio(costs.control):5.2f}   {costs.ratio(costs.package):5.2f}   {costs.ratio(costs.first_call):5.2f}"
        f"   {measured.summary()}"
    )
    for line in sizes.worth_a_look(measured, file_lines=house.file_lines):
        print(f"{'':20} look again: {line}")
    return [f"{member.short}: {each}" for each in complaints]


def help_seconds(command: str, rounds: int = 5) -> float:
    """The smallest CPU time of `command --help`, interpreter included."""
    best = float("inf")
    for _ in range(rounds + 1):
        before = getrusage(RUSAGE_CHILDREN)
        subprocess.run([command, "--help"], check=True, capture_output=True, timeout=LIMIT_SECONDS)
        after = getrusage(RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return best


def check_help(house: House) -> list[str]:
    """Print what `orchestrator --help` costs, if it is installed, and return what is over its budget."""
    command = Path(sysconfig.get_path("scripts")) / "orchestrator"
    if not command.exists():
        return []
    seconds = help_seconds(str(command))
    print(f"orchestrator --help: {seconds:.2f} s of CPU, {house.help_cpu_seconds} are allowed")
    return [f"app: orchestrator --help costs {seconds:.2f} s of CPU"] if seconds > house.help_cpu_seconds else []


def main(config: Path, names: Sequence[str]) -> int:
    """Check the packages called, or all; 1 when something is over its budget."""
    document = tomllib.loads(config.read_text())
    house = House(**document["house"])
    members = [member for member in find_members() if not member.is_service]
    complaints: list[str] = []
    print(f"{'package':20} distributions  base import control  import  first call (ratios), sizes (median / p90 / max)")
    for member in select(members, names):
        if member.short not in document["packages"]:
            complaints.append(f"{member.short}: no entry in {config.name}")
            continue
        complaints += check_package(member, Budget(**document["packages"][member.short]), house)
    if not names:
        complaints += check_help(house)
    print("\n".join(complaints) if complaints else "every package is within its budget")
    return int(bool(complaints))


if __name__ == "__main__":
    sys.exit(main(ROOT / sys.argv[1], sys.argv[2:]))
