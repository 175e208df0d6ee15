"""Checking what one source says against the shape of the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from orchestrator_config._layers import Branch, Items, Node, Value, instance_tree
from orchestrator_config._paths import SettingPath, nearest, render_path
from orchestrator_config._report import Origin, SettingsProblem, SettingsWarning
from orchestrator_config._shape import Scalar, Shape, static_paths
from orchestrator_config._walk import is_array, is_table, key_text


@dataclass(slots=True)
class Findings:
    """What was found wrong or out of date while reading.

    Attributes:
        problems: With their paths.
        dropped: The paths of known settings whose value was unusable; what follows from their absence is not reported.
        referenced: Variables that a secret refers to, which therefore are no unknown settings.
        unknown_variables: Problems that stand unless the variable turns out to be referred to.
        incomplete: Whether a source could not be read at all, so that nothing can be said about what is missing.
    """

    problems: list[tuple[SettingPath, SettingsProblem]] = field(
        default_factory=list[tuple[SettingPath, SettingsProblem]]
    )
    warnings: list[SettingsWarning] = field(default_factory=list[SettingsWarning])
    dropped: set[SettingPath] = field(default_factory=set[SettingPath])
    referenced: set[str] = field(default_factory=set[str])
    unknown_variables: dict[str, tuple[SettingPath, SettingsProblem]] = field(
        default_factory=dict[str, tuple[SettingPath, SettingsProblem]]
    )
    incomplete: bool = False

    def add(self, path: SettingPath, source: object, reason: str, near: str = "") -> None:
        """Note a problem."""
        self.problems.append((path, SettingsProblem(render_path(path), str(source), reason, near)))

    def drop(self, path: SettingPath, source: object, reason: str) -> None:
        """Note a problem with the value of a known setting, which is not used."""
        self.dropped.add(path)
        self.add(path, source, reason)


@dataclass(frozen=True, slots=True)
class Fitter:
    """Turns what one source holds into a tree; what does not fit is noted and left out."""

    root: Shape
    origin_at: Callable[[SettingPath], Origin]
    findings: Findings

    def node(self, value: object, shape: Shape, path: SettingPath) -> Node | None:
        """The value as a tree, or None when it is of no use."""
        origin = self.origin_at(path)
        if isinstance(value, shape.groups):
            return instance_tree(value, shape, origin) or Value(value, origin)
        if is_table(value) and (shape.groups or shape.table):
            return self._branch(value, shape, path)
        if is_array(value) and shape.array:
            return Items([self._element(each, shape.array, (*path, i)) for i, each in enumerate(value)], origin)
        if "raw" not in shape.scalars and (reason := mismatch(value, shape)) is not None:
            self.findings.drop(path, origin, reason)
            return None
        if shape.secret and isinstance(value, str) and value.startswith("env:"):
            self.findings.referenced.add(value[4:])
        return Value(value, origin)

    def _element(self, value: object, shape: Shape, path: SettingPath) -> Node:
        # What does not fit keeps its place, so that the elements after it keep theirs.
        return self.node(value, shape, path) or Value(value, self.origin_at(path))

    def _branch(self, table: Mapping[object, object], shape: Shape, path: SettingPath) -> Branch:
        branch = Branch(origin=self.origin_at(path))
        for key, value in table.items():
            place = (*path, key_text(key))
            below = shape.below(key_text(key))
            if below is None and "raw" in shape.scalars:
                # The validator that reads first may know the key; if it does not, pydantic refuses it.
                branch.children[key_text(key)] = Value(value, self.origin_at(place))
            elif below is None:
                near = nearest_path(place, shape, self.root)
                self.findings.add(place, self.origin_at(place), "is not a known setting", near)
            elif (node := self.node(value, below, place)) is not None:
                branch.children[key_text(key)] = node
        return branch


_wanted: Final[dict[Scalar, str]] = {"bool": "true or false", "int": "an integer", "float": "a number"}


def mismatch(value: object, shape: Shape) -> str | None:
    """Why a value from a typed source (TOML, JSON, the program) does not fit; None when it fits or pydantic decides.

    Types are kept: `"5"` is no integer, `1` is no boolean, and `true` is no number.
    """
    scalars = shape.scalars - {"none"}
    if is_table(value):
        return None if "any" in scalars else f"should be {expected(shape)}, not a table"
    if is_array(value):
        return None if "any" in scalars else f"should be {expected(shape)}, not an array"
    if value is None:
        return None
    fits = isinstance(value, bool) and "bool" in scalars
    fits |= isinstance(value, (int, float)) and not isinstance(value, bool) and "float" in scalars
    fits |= isinstance(value, int) and not isinstance(value, bool) and "int" in scalars
    if fits or scalars & {"text", "any"}:
        return None
    quoted = ", not text: write it without quotes" if isinstance(value, str) and scalars else ""
    return f"should be {expected(shape)}{quoted}"


def expected(shape: Shape) -> str:
    """What fits, in words."""
    words = [_wanted[scalar] for scalar in ("bool", "int", "float") if scalar in shape.scalars]
    words += ["text"] if shape.scalars & {"text"} else []
    words += ["a table"] if shape.groups or shape.table else []
    words += ["an array"] if shape.array else []
    return " or ".join(words) or "nothing"


def nearest_path(path: SettingPath, shape: Shape, root: Shape) -> str:
    """The known path most like an unknown one: beside it, or of like name elsewhere in the model."""
    key = str(path[-1])
    if beside := nearest(key, shape.fields):
        return render_path((*path[:-1], beside))
    elsewhere: dict[str, list[SettingPath]] = {}
    for known in static_paths(root):
        elsewhere.setdefault(str(known[-1]), []).append(known)
    places = elsewhere.get(nearest(key, elsewhere), [])
    return render_path(places[0]) if len(places) == 1 else ""
