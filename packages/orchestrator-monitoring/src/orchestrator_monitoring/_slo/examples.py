"""Label values that fulfil matchers: example series for tests of rules, and proof that a selector can match anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from orchestrator_monitoring._slo.indicators import RatioIndicator
from orchestrator_monitoring._slo.objectives import SloRefused
from orchestrator_monitoring._slo.selectors import Matcher, Selector

__all__ = ["Example", "example_series"]

Example: TypeAlias = tuple[str, dict[str, str]]
"""A metric and labels."""


def example_series(ratio: RatioIndicator) -> dict[str, Example]:
    """A series that counts as `part`, and one for the `rest` of the total; or for `all` of it, where the total is another metric.

    Raises:
        SloRefused: There are none, so that nothing could ever count, or everything always would.
    """
    part = _example(ratio.part)
    if ratio.part.metric != ratio.total.metric:
        return {"part": part, "all": _example(ratio.total)}
    for matcher in ratio.part.matchers:
        for value in _candidates((*ratio.part.matchers, *ratio.total.matchers), matcher.label):
            rest = _values(ratio.total, (*ratio.total.matchers, Matcher(matcher.label, "=", value)))
            if rest is not None and not ratio.part.accepts(ratio.part.metric, rest):
                return {"part": part, "rest": (ratio.total.metric, rest)}
    raise SloRefused(f"{ratio.part} is all of {ratio.total}: nothing would ever change the ratio")


def _example(selector: Selector) -> Example:
    values = _values(selector, selector.matchers)
    if values is None:
        raise SloRefused(f"no label values were found that fulfil {selector}")
    return selector.metric, values


def _values(selector: Selector, matchers: Sequence[Matcher]) -> dict[str, str] | None:
    found: dict[str, str] = {}
    for label in dict.fromkeys(each.label for each in matchers):
        asked = [each for each in matchers if each.label == label]
        fitting = (value for value in _candidates(matchers, label) if all(each.accepts(value) for each in asked))
        value = next(fitting, None)
        if value is None:
            return None
        found[label] = value
    return found if selector.accepts(selector.metric, found) else None


def _candidates(matchers: Sequence[Matcher], label: str) -> list[str]:
    """Values worth a try: what equality and alternatives name, patterns with their wildcards filled, and one that nobody names."""
    found: list[str] = []
    for each in matchers:
        if each.label == label:
            options = each.value.strip("()").split("|")
            found += [
                option.replace(".*", "").replace(".+", "x").replace(".", "0").replace("\\", "") for option in options
            ]
            found.append(each.value)
    return [*found, "other", "1", ""]
