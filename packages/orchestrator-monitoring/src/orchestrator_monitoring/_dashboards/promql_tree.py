"""A PromQL query as a tree of frozen values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from orchestrator_monitoring._dashboards.promql_functions import FUNCTIONS, Kind

__all__ = [
    "Aggregation",
    "Binary",
    "Call",
    "Expression",
    "Matcher",
    "Number",
    "Selector",
    "Subquery",
    "Text",
    "Unary",
    "kind_of",
    "selectors_of",
]


@dataclass(frozen=True, slots=True)
class Number:
    """A scalar."""

    value: float


@dataclass(frozen=True, slots=True)
class Text:
    """A string, which only functions and aggregations take."""

    value: str


@dataclass(frozen=True, slots=True)
class Matcher:
    """A condition on a label."""

    label: str
    operator: str
    value: str


@dataclass(frozen=True, slots=True)
class Selector:
    """Series by their name and labels; `range` in seconds where it asks for their past."""

    metric: str
    matchers: tuple[Matcher, ...]
    position: int
    range: float | None = None


@dataclass(frozen=True, slots=True)
class Subquery:
    """A query evaluated over and over; seconds."""

    query: Expression
    range: float
    step: float | None


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments."""

    function: str
    arguments: tuple[Expression, ...]
    position: int


@dataclass(frozen=True, slots=True)
class Aggregation:
    """Many series made few; `labels` are kept, or dropped where `without` says so."""

    operator: str
    query: Expression
    parameter: Expression | None
    labels: tuple[str, ...]
    without: bool
    position: int


@dataclass(frozen=True, slots=True)
class Binary:
    """Two sides and an operator; `labels` are what sides are matched `on`, or match without."""

    operator: str
    left: Expression
    right: Expression
    on: bool = False
    labels: tuple[str, ...] = ()
    group: str = ""
    include: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unary:
    """A sign before a query."""

    operator: str
    query: Expression


Expression: TypeAlias = Number | Text | Selector | Subquery | Call | Aggregation | Binary | Unary


def selectors_of(expression: Expression) -> Iterator[Selector]:
    """All series that a query reads, in their order."""
    match expression:
        case Selector():
            yield expression
        case Subquery(query) | Unary(_, query):
            yield from selectors_of(query)
        case Call(_, arguments):
            for argument in arguments:
                yield from selectors_of(argument)
        case Aggregation(_, query, parameter):
            yield from selectors_of(query)
            if parameter is not None:
                yield from selectors_of(parameter)
        case Binary(_, left, right):
            yield from selectors_of(left)
            yield from selectors_of(right)
        case Number() | Text():
            pass


def kind_of(expression: Expression) -> Kind:
    """The type of a query's value."""
    kind: Kind = "vector"
    match expression:
        case Number():
            kind = "scalar"
        case Text():
            kind = "string"
        case Selector(range=seconds):
            kind = "vector" if seconds is None else "matrix"
        case Subquery():
            kind = "matrix"
        case Call(function):
            kind = FUNCTIONS[function].result
        case Unary(_, query):
            kind = kind_of(query)
        case Binary(_, left, right) if kind_of(left) == kind_of(right) == "scalar":
            kind = "scalar"
        case _:
            pass
    return kind
