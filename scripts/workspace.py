"""The members of the workspace: found by globbing, read from their pyproject files."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
FAMILY = "orchestrator-"


@dataclass(frozen=True, slots=True)
class Member:
    """One package or service.

    Attributes:
        name: Of the distribution, for example `orchestrator-calls`.
        folder: Where its pyproject is.
        module: The import name.
        version: Its static version.
        base: What it always requires.
        extras: What each extra requires.
    """

    name: str
    folder: Path
    module: str
    version: str
    base: tuple[Requirement, ...]
    extras: dict[str, tuple[Requirement, ...]]

    @property
    def short(self) -> str:
        """What people call it: `calls`."""
        return self.name.removeprefix(FAMILY)

    @property
    def is_service(self) -> bool:
        """Whether it is deployed rather than installed by others."""
        return self.folder.parent.name == "services"

    @property
    def with_extras(self) -> str:
        """Its folder as a requirement with all extras."""
        return f"{self.folder}[{','.join(sorted(self.extras))}]" if self.extras else str(self.folder)

    def siblings(self, *, extras: bool) -> set[str]:
        """The distributions of the workspace that it requires itself."""
        requirements = [*self.base, *(each for extra in self.extras.values() if extras for each in extra)]
        names: set[str] = {canonicalize_name(each.name) for each in requirements}
        return {name for name in names if name.startswith(FAMILY)} - {self.name}


def read_member(folder: Path) -> Member:
    """Read one member's pyproject."""
    document = tomllib.loads((folder / "pyproject.toml").read_text())
    project = document["project"]
    return Member(
        name=project["name"],
        folder=folder,
        module=Path(document["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"][0]).name,
        version=project["version"],
        base=tuple(Requirement(each) for each in project.get("dependencies", [])),
        extras={
            extra: tuple(Requirement(each) for each in requirements)
            for extra, requirements in project.get("optional-dependencies", {}).items()
        },
    )


def find_members(root: Path = ROOT) -> list[Member]:
    """Every member, packages before services, by name."""
    files = [*sorted(root.glob("packages/*/pyproject.toml")), *sorted(root.glob("services/*/pyproject.toml"))]
    return [read_member(file.parent) for file in files]


def select(members: Sequence[Member], names: Iterable[str]) -> list[Member]:
    """The members called by their short or full names, all of them when none is called.

    Raises:
        LookupError: A name belongs to nobody; the message lists the known ones.
    """
    wanted = {name.removeprefix(FAMILY) for name in names}
    unknown = wanted - {member.short for member in members}
    if unknown:
        known = ", ".join(member.short for member in members)
        raise LookupError(f"no package is called {', '.join(sorted(unknown))}; there are {known}")
    return [member for member in members if not wanted or member.short in wanted]


def closure(member: Member, members: Sequence[Member], *, extras: bool = False) -> list[Member]:
    """The member and every sibling it needs, directly or not.

    Raises:
        LookupError: It requires a member of the family that is not in the workspace; an index could answer with a stranger's.
    """
    by_name = {each.name: each for each in members}
    found: dict[str, Member] = {}
    waiting = [member.name]
    while waiting:
        name = waiting.pop()
        if name not in by_name:
            raise LookupError(f"{member.name} requires {name}, which is not in the workspace")
        if name not in found:
            found[name] = by_name[name]
            waiting.extend(sorted(by_name[name].siblings(extras=extras)))
    return list(found.values())


def bound_complaints(members: Iterable[Member]) -> list[str]:
    """What is wrong with the bounds between siblings: each needs a lower and an upper one, and never an exact pin."""
    complaints: list[str] = []
    for member in members:
        for requirement in [*member.base, *(each for extra in member.extras.values() for each in extra)]:
            if not canonicalize_name(requirement.name).startswith(FAMILY) or requirement.name == member.name:
                continue
            operators = {specifier.operator for specifier in requirement.specifier}
            if not {">=", "<"} <= operators or operators - {">=", "<", "!="}:
                complaints.append(
                    f"{member.name}: write {requirement.name} as >=X.Y,<X.Z instead of {str(requirement)!r}"
                )
    return complaints
