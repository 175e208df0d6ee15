"""Series by metric and labels, read from and written as PromQL's selectors: `calls_ended_total{outcome=~"failed|abandoned"}`.

A selector is a value: what comes from a user goes into the `value` of a matcher, and writing it quotes it. Nothing is pasted into a query.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["Matcher", "Selector"]

_OPERATORS: Final = ("=", "!=", "=~", "!~")
_metric = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*").fullmatch
_label = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*").fullmatch
_token = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*("(?:[^"\\\n]|\\.)*")\s*(,|\Z)')
# What Python and RE2 read alike.
_plain_pattern = re.compile(
    r"(?:[\w\-:/ ,%@<>=~]|\\[.+*?()\[\]{}|\\/\-]|[.|*+?]|\((?!\?)|\)|\[(?!\^?\]|\[|:)|\]|\^|\$)*"
).fullmatch


@dataclass(frozen=True, slots=True)
class Matcher:
    """A condition on one label; an absent label counts as empty, as in Prometheus.

    Raises:
        ValueError: The label or the operator is none, or the pattern may mean different things to Python and Prometheus.
    """

    label: str
    operator: str
    value: str

    def __post_init__(self) -> None:
        if _label(self.label) is None:
            raise ValueError(f"{self.label!r} is no label name")
        if self.operator not in _OPERATORS:
            raise ValueError(f"{self.operator!r} is none of {' '.join(_OPERATORS)}")
        if "~" in self.operator:
            if _plain_pattern(self.value) is None:
                raise ValueError(
                    f"the pattern {self.value!r} is more than letters, | . * + ? ( ) [ ] and escaped signs"
                )
            try:
                re.compile(self.value)
            except re.error as error:
                raise ValueError(f"the pattern {self.value!r} is not valid: {error}") from None

    def accepts(self, found: str) -> bool:
        """Whether a label's value fulfils it."""
        if self.label == "le" and self.operator == "=":
            return _number(found) == _number(self.value)
        same = re.fullmatch(self.value, found) is not None if "~" in self.operator else found == self.value
        return same != self.operator.startswith("!")

    def __str__(self) -> str:
        if self.label == "le" and self.operator == "=" and _number(self.value) == _number(self.value) // 1:
            # Clients write a bound of 3 as "3" or as "3.0".
            return f"le=~{json.dumps(f'{_number(self.value):.0f}([.]0)?')}"
        return f"{self.label}{self.operator}{_quoted(self.value)}"


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _quoted(text: str) -> str:
    # JSON's escapes are among PromQL's, but for the slash, which it leaves alone, and surrogates, which it must not make.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


@dataclass(frozen=True, slots=True)
class Selector:
    """The series of one metric whose labels fulfil all matchers.

    Raises:
        ValueError: The metric is no name.
    """

    metric: str
    matchers: tuple[Matcher, ...] = ()

    def __post_init__(self) -> None:
        if _metric(self.metric) is None:
            raise ValueError(f"{self.metric!r} is no metric name")

    @classmethod
    def parse(cls, text: str) -> Selector:
        """Read a selector as PromQL writes it, without range, offset and functions.

        Raises:
            ValueError: It is none; says at which text.
        """
        metric, brace, rest = text.strip().partition("{")
        if not brace:
            return cls(metric)
        if not rest.endswith("}"):
            raise ValueError(f'the selector {text!r} does not end with a brace; write metric{{label="value"}}')
        return cls(metric.strip(), tuple(_matchers(rest[:-1])))

    def with_labels(self, **values: str) -> Selector:
        """The same series with these label values."""
        return Selector(self.metric, (*self.matchers, *(Matcher(name, "=", value) for name, value in values.items())))

    def accepts(self, metric: str, labels: Mapping[str, str]) -> bool:
        """Whether a sample is one of these series."""
        return metric == self.metric and all(each.accepts(labels.get(each.label, "")) for each in self.matchers)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that it names."""
        return tuple(each.label for each in self.matchers)

    def __str__(self) -> str:
        return f"{self.metric}{{{','.join(map(str, self.matchers))}}}" if self.matchers else self.metric


def _matchers(text: str) -> Iterator[Matcher]:
    position = 0
    while text[position:].strip():
        found = _token.match(text, position)
        if found is None:
            raise ValueError(f'cannot read {text[position:].strip()!r}; write label="value" with commas between')
        yield Matcher(found[1], found[2], _unquoted(found[3]))
        position = found.end()


def _unquoted(text: str) -> str:
    try:
        return str(json.loads(text))
    except ValueError:
        raise ValueError(f"cannot read the quoted text {text}") from None
