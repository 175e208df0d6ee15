"""What a query of a panel must be besides PromQL: over metrics that somebody declares, with labels they have, by functions that fit their type."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from orchestrator_monitoring._dashboards.promql import (
    Aggregation,
    Binary,
    Call,
    Expression,
    Matcher,
    PromqlRefused,
    Selector,
    Subquery,
    Unary,
    parse,
    selectors_of,
)
from orchestrator_monitoring.metrics import Catalogue, OneOf, UnknownMetric

__all__ = ["check_query", "metrics_of", "plain"]

# What Grafana writes in their place is a duration or a number of its own choice.
_BUILT_IN: Final = {"$__rate_interval": "5m", "$__interval": "1m", "$__range": "1h"}
_OF_TARGETS: Final = frozenset({"job", "instance"})
_OF_COUNTERS: Final = frozenset({"rate", "increase", "irate", "resets"})
_OF_GAUGES: Final = frozenset({"delta", "idelta", "deriv", "predict_linear", "holt_winters"})
_GROWING: Final = ("_bucket", "_count", "_sum", "_total")
_words = re.compile(r"[\w:/-]+(?:\|[\w:/-]+)*")


def plain(query: str) -> str:
    """The query with Grafana's built-in variables replaced by what they may stand for."""
    for name, value in _BUILT_IN.items():
        query = query.replace(name, value).replace("${" + name[1:] + "}", value)
    return query


def metrics_of(query: str) -> frozenset[str]:
    """The names of the samples that a query reads.

    Raises:
        PromqlRefused: It is no PromQL.
    """
    return frozenset(selector.metric for selector in selectors_of(parse(plain(query))))


def check_query(query: str, catalogue: Catalogue, variables: Iterable[str] = ()) -> None:
    """Check that a query can have an answer.

    Args:
        query: PromQL; Grafana's variables may stand in texts, its built-in ones in ranges too.
        catalogue: What is exported.
        variables: Those that the dashboard has.

    Raises:
        PromqlRefused: It is no PromQL, a variable is unknown, or a function does not fit its metric; says where.
        UnknownMetric: A metric or a label is declared by nobody.
    """
    tree = parse(plain(query))
    known = frozenset(variables)
    for selector in selectors_of(tree):
        _check_selector(selector, catalogue, known)
    for part in _parts(tree):
        if isinstance(part, Call):
            _check_call(part, catalogue)
        elif isinstance(part, Aggregation):
            _check_grouping(part, catalogue)


def _check_selector(selector: Selector, catalogue: Catalogue, variables: frozenset[str]) -> None:
    if not selector.metric:
        raise PromqlRefused("name the metric", position=selector.position)
    labels = [matcher.label for matcher in selector.matchers if matcher.label not in _OF_TARGETS]
    metric = catalogue.require(selector.metric, *labels)
    for matcher in selector.matchers:
        for name in re.findall(r"\$\{?(\w+)", matcher.value):
            if name not in variables:
                raise PromqlRefused(f"there is no variable ${name}", position=selector.position)
        bound = metric.labels.get(matcher.label)
        if isinstance(bound, OneOf):
            _check_values(selector, matcher, {*bound.values, bound.other})


def _check_values(selector: Selector, matcher: Matcher, values: set[str]) -> None:
    """A condition that can never be fulfilled, or always is, is a typing error."""
    if "$" in matcher.value:
        return
    asked = {matcher.value}
    if "~" in matcher.operator and _words.fullmatch(matcher.value):
        asked = set(matcher.value.split("|"))
    elif "~" in matcher.operator and any(re.fullmatch(matcher.value, value) for value in values):
        return
    wrong = asked - values
    if wrong:
        raise UnknownMetric(
            f"{matcher.label} of {selector.metric} is never {', '.join(sorted(wrong))}; it is {', '.join(sorted(values))}",
            details={"metric": selector.metric},
        )


def _check_call(call: Call, catalogue: Catalogue) -> None:
    if call.function == "histogram_quantile":
        _check_quantile(call)
    for argument in call.arguments:
        if not isinstance(argument, Selector):
            continue
        growing = argument.metric.endswith(_GROWING) and catalogue.require(argument.metric).kind != "gauge"
        if call.function in _OF_COUNTERS and not growing:
            raise PromqlRefused(
                f"{call.function} is for counters, and {argument.metric} is a gauge", position=call.position
            )
        if call.function in _OF_GAUGES and growing:
            raise PromqlRefused(
                f"{call.function} is for gauges, and {argument.metric} only grows", position=call.position
            )


def _check_quantile(call: Call) -> None:
    buckets = [each for each in selectors_of(call.arguments[1]) if each.metric.endswith("_bucket")]
    if not buckets:
        raise PromqlRefused("histogram_quantile needs the _bucket series of a histogram", position=call.position)
    for part in _parts(call.arguments[1]):
        if isinstance(part, Aggregation) and ("le" in part.labels) is part.without:
            raise PromqlRefused("below histogram_quantile the label le must be kept", position=part.position)


def _check_grouping(aggregation: Aggregation, catalogue: Catalogue) -> None:
    known: set[str] = set(_OF_TARGETS)
    for selector in selectors_of(aggregation.query):
        known |= catalogue.labels_of(selector.metric) or frozenset()
    for part in _parts(aggregation.query):
        if isinstance(part, Call) and part.function in {"label_replace", "label_join"}:
            return
        if isinstance(part, Aggregation) and part.operator == "count_values":
            return
    unknown = sorted(set(aggregation.labels) - known)
    if unknown:
        raise PromqlRefused(f"no series below has the label {', '.join(unknown)}", position=aggregation.position)


def _parts(expression: Expression) -> Iterator[Expression]:
    yield expression
    match expression:
        case Subquery(query) | Unary(_, query) | Aggregation(_, query):
            yield from _parts(query)
        case Call(_, arguments):
            for argument in arguments:
                yield from _parts(argument)
        case Binary(_, left, right):
            yield from _parts(left)
            yield from _parts(right)
        case _:
            pass
