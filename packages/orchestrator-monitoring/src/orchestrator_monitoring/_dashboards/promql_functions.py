"""PromQL's functions and aggregations, with the types of their arguments (Prometheus 2.42)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["AGGREGATIONS", "FUNCTIONS", "PARAMETERS", "Function", "Kind"]

Kind = Literal["scalar", "vector", "matrix", "string"]


@dataclass(frozen=True, slots=True)
class Function:
    """What a function takes and gives.

    Attributes:
        arguments: Of these, the last `optional` ones may be left out.
        repeated: The last one may come as often as wanted, also not at all.
    """

    arguments: tuple[Kind, ...]
    result: Kind = "vector"
    optional: int = 0
    repeated: bool = False


_OF_VECTOR: Final = Function(("vector",))
_OF_MATRIX: Final = Function(("matrix",))
_OF_TIME: Final = Function(("vector",), optional=1)

FUNCTIONS: Final[dict[str, Function]] = {
    **dict.fromkeys(
        (
            *(
                "abs",
                "absent",
                "ceil",
                "exp",
                "floor",
                "histogram_count",
                "histogram_sum",
                "ln",
                "log10",
                "log2",
                "sgn",
            ),
            *(
                "sort",
                "sort_desc",
                "sqrt",
                "timestamp",
                "deg",
                "rad",
                "acos",
                "acosh",
                "asin",
                "asinh",
                "atan",
                "atanh",
            ),
            *("cos", "cosh", "sin", "sinh", "tan", "tanh"),
        ),
        _OF_VECTOR,
    ),
    **dict.fromkeys(
        (
            *(
                "absent_over_time",
                "avg_over_time",
                "changes",
                "count_over_time",
                "delta",
                "deriv",
                "idelta",
                "increase",
            ),
            *("irate", "last_over_time", "max_over_time", "min_over_time", "present_over_time", "rate", "resets"),
            *("stddev_over_time", "stdvar_over_time", "sum_over_time"),
        ),
        _OF_MATRIX,
    ),
    **dict.fromkeys(
        ("day_of_month", "day_of_week", "day_of_year", "days_in_month", "hour", "minute", "month", "year"), _OF_TIME
    ),
    "clamp": Function(("vector", "scalar", "scalar")),
    "clamp_max": Function(("vector", "scalar")),
    "clamp_min": Function(("vector", "scalar")),
    "histogram_fraction": Function(("scalar", "scalar", "vector")),
    "histogram_quantile": Function(("scalar", "vector")),
    "holt_winters": Function(("matrix", "scalar", "scalar")),
    "label_join": Function(("vector", "string", "string", "string"), repeated=True),
    "label_replace": Function(("vector", "string", "string", "string", "string")),
    "pi": Function((), "scalar"),
    "predict_linear": Function(("matrix", "scalar")),
    "quantile_over_time": Function(("scalar", "matrix")),
    "round": Function(("vector", "scalar"), optional=1),
    "scalar": Function(("vector",), "scalar"),
    "time": Function((), "scalar"),
    "vector": Function(("scalar",)),
}

PARAMETERS: Final[dict[str, Kind]] = {
    "topk": "scalar",
    "bottomk": "scalar",
    "quantile": "scalar",
    "count_values": "string",
}
"""The aggregations that take a parameter, and its type."""

AGGREGATIONS: Final = frozenset({"sum", "min", "max", "avg", "group", "stddev", "stdvar", "count", *PARAMETERS})
