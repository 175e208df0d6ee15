"""What became of each requirement of OWASP ASVS 5.0.0, `docs/asvs.toml`, held to its word.

    python -m scripts.asvs docs/asvs.toml

Every requirement answers exactly once: the test that shows it, why it does not apply, or the package that will bring it. `about` says in a few words of our
own what it asks for. A test that does not exist, a package without a place in the workspace, an empty reason, a requirement that is missing or that
the standard does not have are errors.
"""

from __future__ import annotations

import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from scripts.ledger import hold_to_its_word, wrong_with
from scripts.workspace import ROOT

ANSWERS: Final = ("test", "not_applicable", "package")
SECTIONS: Final[Mapping[int, tuple[int, ...]]] = {
    1: (2, 10, 12, 3, 3),
    2: (3, 3, 5, 2),
    3: (1, 3, 5, 8, 8, 1, 5),
    4: (5, 5, 2, 4),
    5: (1, 6, 3, 3),
    6: (3, 12, 8, 6, 8, 4, 2, 4),
    7: (3, 4, 2, 5, 3, 2),
    8: (4, 4, 3, 2),
    9: (3, 4),
    10: (2, 3, 5, 16, 5, 2, 3),
    11: (4, 5, 5, 4, 2, 2, 2),
    12: (5, 2, 5),
    13: (4, 6, 4, 7),
    14: (2, 8, 3),
    15: (5, 5, 7, 4),
    16: (1, 5, 4, 3, 4),
    17: (2, 8, 2),
}
"""By chapter, how many requirements each of its sections has; 345 in all."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement; `answer` is one of `ANSWERS`."""

    id: str
    about: str
    answer: str
    value: str

    @property
    def chapter(self) -> int:
        """The first number of the id."""
        return int(self.id.partition(".")[0])


def all_ids() -> list[str]:
    """The ids of the standard, in its order."""
    return [
        f"{chapter}.{section}.{number}"
        for chapter, sections in SECTIONS.items()
        for section, count in enumerate(sections, 1)
        for number in range(1, count + 1)
    ]


def read_answers(text: str) -> tuple[list[Requirement], list[str]]:
    """The requirements, and what is wrong with the form of others.

    Raises:
        tomllib.TOMLDecodeError: The text is no TOML, or holds an id twice.
    """
    found: list[Requirement] = []
    complaints: list[str] = []
    for name, line in _lines(tomllib.loads(text)):
        about = line.get("about")
        answers = {key: value for key, value in line.items() if key != "about"}
        if not isinstance(about, str) or not about.strip() or len(answers) != 1 or not answers.keys() <= set(ANSWERS):
            complaints.append(f"{name}: say what it is about, and answer with exactly one of {', '.join(ANSWERS)}")
            continue
        [(answer, value)] = answers.items()
        found.append(Requirement(name, about, answer, str(value)))
    ids, known = all_ids(), {name for name, _ in _lines(tomllib.loads(text))}
    complaints += [f"{name}: the standard has no such requirement" for name in sorted(known - set(ids))]
    complaints += [f"{name}: has no answer" for name in ids if name not in known]
    return [each for each in found if each.id in set(ids)], complaints


def _lines(document: Mapping[str, object]) -> Iterator[tuple[str, Mapping[str, object]]]:
    for chapter, lines in document.items():
        for name, line in cast("Mapping[str, object]", lines if isinstance(lines, dict) else {}).items():
            fits = chapter == "V" + name.partition(".")[0] and isinstance(line, dict)
            yield (
                (name if fits else f"[{chapter}] {name}"),
                cast("Mapping[str, object]", line if isinstance(line, dict) else {}),
            )


def check(requirement: Requirement, root: Path) -> str | None:
    """What is wrong with the answer, if anything is."""
    wrong = wrong_with(requirement.answer, requirement.value, root, no_reason="say why it does not apply")
    return f"{requirement.id}: {wrong}" if wrong else None


def table(requirements: list[Requirement]) -> str:
    """How many requirements of each chapter were answered in which way."""
    counts = Counter((each.chapter, each.answer) for each in requirements)
    lines = [f"{'chapter':8} {'all':>5} {'test':>6} {'n/a':>6} {'package':>9}"]
    for chapter in [*SECTIONS, 0]:
        row = [sum(n for (c, a), n in counts.items() if chapter in (c, 0) and a == answer) for answer in ANSWERS]
        lines.append(f"{f'V{chapter}' if chapter else 'total':8} {sum(row):5} {row[0]:6} {row[1]:6} {row[2]:9}")
    return "\n".join(lines)


def main(file: Path, root: Path = ROOT) -> int:
    """Print the counts, and every answer that does not hold; 1 when there is one."""
    return hold_to_its_word(file, read_answers, lambda each: check(each, root), table)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
