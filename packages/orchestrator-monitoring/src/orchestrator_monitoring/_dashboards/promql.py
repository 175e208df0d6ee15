"""PromQL, parsed and type-checked: the whole language of Prometheus 2.42, so that a panel cannot hold a query that no server takes.

    parse('sum by (route) (rate(orchestrator_http_requests_total{status=~"5.."}[5m]))')

A query is a tree of frozen values; `selectors_of` finds the series that it reads.
"""

from __future__ import annotations

import re
from math import inf, nan
from typing import Final

from orchestrator_monitoring._dashboards.promql_functions import AGGREGATIONS, FUNCTIONS, PARAMETERS, Function, Kind
from orchestrator_monitoring._dashboards.promql_tokens import PromqlRefused, Token, seconds_of, tokens_of
from orchestrator_monitoring._dashboards.promql_tree import (
    Aggregation,
    Binary,
    Call,
    Expression,
    Matcher,
    Number,
    Selector,
    Subquery,
    Text,
    Unary,
    kind_of,
    selectors_of,
)

__all__ = [
    "Aggregation",
    "Binary",
    "Call",
    "Expression",
    "Matcher",
    "Number",
    "PromqlRefused",
    "Selector",
    "Subquery",
    "Text",
    "Unary",
    "parse",
    "selectors_of",
]

_LEVELS: Final = (
    frozenset({"or"}),
    frozenset({"and", "unless"}),
    frozenset({"==", "!=", "<", "<=", ">", ">="}),
    frozenset({"+", "-"}),
    frozenset({"*", "/", "%", "atan2"}),
)
_SETS: Final = frozenset({"or", "and", "unless"})
_COMPARISONS: Final = _LEVELS[2]
# Kept in 64 bits.
_LATEST: Final = 2**63
_NO_METRICS: Final = frozenset({"on", "ignoring", "group_left", "group_right", "bool", "atan2"})
_NUMBERS: Final = frozenset({"inf", "nan"})
_NO_LABELS: Final = _NUMBERS | {"without"}
_label = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_MOST_DEPTH: Final = 30
_MOST_WORDS: Final = 600


def parse(query: str) -> Expression:
    """The query as a tree.

    Raises:
        PromqlRefused: It is no PromQL, or its types do not fit; says where and why.

    >>> parse("rate(x_total[5m]) * 60").operator
    '*'
    """
    tokens = list(tokens_of(query))
    if len(tokens) > _MOST_WORDS:
        raise PromqlRefused(f"the query has more than {_MOST_WORDS} words", position=tokens[_MOST_WORDS].position)
    parser = _Parser(tokens)
    expression = parser.expression(0, 0)
    parser.end()
    return expression


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._next
        self._at += token.kind != "end"
        return token

    def _is(self, *words: str) -> bool:
        return self._next.kind in {"sign", "name"} and self._next.word in words

    def _accept(self, *words: str) -> bool:
        if self._is(*words):
            self._at += 1
            return True
        return False

    def _need(self, sign: str) -> None:
        if not self._accept(sign):
            raise self._refuse(f"{sign} expected")

    def _refuse(self, reason: str, token: Token | None = None) -> PromqlRefused:
        at = token or self._next
        shown = repr(at.value) if at.value else "the end"
        return PromqlRefused(f"{reason}, not {shown}" if reason.endswith("expected") else reason, position=at.position)

    def end(self) -> None:
        """Nothing must follow."""
        if self._next.kind != "end":
            raise self._refuse("an operator or the end expected")

    # --- operators ----------------------------------------------------------------------------------------------------------

    def expression(self, level: int, depth: int) -> Expression:
        """Operators of this level and all that bind closer."""
        if level == len(_LEVELS):
            return self._signed(depth)
        left = self.expression(level + 1, depth)
        while self._is(*_LEVELS[level]):
            left = self._binary(left, self._take(), level + 1, depth)
        return left

    def _binary(self, left: Expression, sign: Token, level: int, depth: int) -> Binary:
        operator = sign.word
        returns_bool = self._accept("bool")
        if returns_bool and operator not in _COMPARISONS:
            raise self._refuse("bool goes only with comparisons", sign)
        on = False
        labels: tuple[str, ...] = ()
        include: tuple[str, ...] = ()
        group = ""
        if self._is("on", "ignoring"):
            on = self._take().word == "on"
            labels = self._labels()
            if self._is("group_left", "group_right"):
                group = self._take().word
                include = self._labels() if self._is("(") else ()
            if on and set(labels) & set(include):
                raise self._refuse("a label stands behind on and behind the group", sign)
        right = self.expression(level, depth + 1) if level <= len(_LEVELS) else self._signed(depth + 1)
        self._check_sides(sign, left, right, returns_bool=returns_bool, matched=bool(labels), group=group)
        return Binary(operator, left, right, on, labels, group, include)

    def _check_sides(
        self, sign: Token, left: Expression, right: Expression, *, returns_bool: bool, matched: bool, group: str
    ) -> None:
        operator, sides = sign.word, (kind_of(left), kind_of(right))
        if {"matrix", "string"} & set(sides):
            raise self._refuse(f"{operator} takes scalars and instant vectors, not {' and '.join(sides)}", sign)
        vectors = sides == ("vector", "vector")
        if operator in _SETS and not vectors:
            raise self._refuse(f"{operator} takes two instant vectors", sign)
        if operator in _SETS and group:
            raise self._refuse(f"no grouping with {operator}", sign)
        if matched and not vectors:
            raise self._refuse("on and ignoring go only between instant vectors", sign)
        if operator in _COMPARISONS and sides == ("scalar", "scalar") and not returns_bool:
            raise self._refuse("a comparison of scalars needs bool", sign)

    def _signed(self, depth: int) -> Expression:
        if depth > _MOST_DEPTH:
            raise self._refuse("the query is nested too deep")
        if not self._is("+", "-"):
            return self._power(depth)
        sign = self._take()
        query = self._signed(depth + 1)
        if kind_of(query) not in {"scalar", "vector"}:
            raise self._refuse("a sign goes only before scalars and instant vectors", sign)
        return Unary(sign.value, query)

    def _power(self, depth: int) -> Expression:
        base = self._postfixed(depth)
        if self._is("^"):
            # Right-associative; a sign may stand before the exponent.
            return self._binary(base, self._take(), len(_LEVELS) + 1, depth)
        return base

    # --- what stands behind -------------------------------------------------------------------------------------------------

    def _postfixed(self, depth: int) -> Expression:
        begins = self._next
        query = self._primary(depth)
        # In brackets it counts as a query, whatever it is made of.
        bare = begins.value != "("
        offset = at = False
        while True:
            if self._accept("["):
                query = self._range(query, begins, subquery_only=offset or at or not bare)
                offset, at, bare = False, False, True
            elif self._is("offset") and not offset:
                self._take()
                self._check_moved(query, begins, bare=bare)
                self._accept("-")
                seconds_of(self._take())
                offset = True
            elif self._is("@") and not at:
                self._take()
                self._check_moved(query, begins, bare=bare)
                self._instant()
                at = True
            else:
                return query

    def _range(self, query: Expression, begins: Token, *, subquery_only: bool) -> Expression:
        seconds = seconds_of(self._take())
        if not seconds:
            raise self._refuse("a range must be longer than nothing")
        if self._accept(":"):
            step = None if self._is("]") else seconds_of(self._take())
            self._need("]")
            if kind_of(query) != "vector":
                raise self._refuse("a subquery is made of an instant vector", begins)
            return Subquery(query, seconds, step)
        self._need("]")
        if not isinstance(query, Selector) or query.range is not None or subquery_only:
            raise self._refuse("a range is asked of series only; of a query write [range:step]", begins)
        return Selector(query.metric, query.matchers, query.position, seconds)

    def _check_moved(self, query: Expression, begins: Token, *, bare: bool) -> None:
        if not bare or not isinstance(query, Selector | Subquery):
            raise self._refuse("offset and @ stand behind series and subqueries only", begins)

    def _instant(self) -> None:
        if self._is("start", "end"):
            self._take()
            self._need("(")
            self._need(")")
            return
        self._accept("-", "+")
        token = self._take()
        if token.kind != "number":
            raise self._refuse("a number, start() or end() expected", token)
        if self._number(token).value >= _LATEST:
            raise self._refuse("the time is out of bounds", token)

    # --- the smallest parts -------------------------------------------------------------------------------------------------

    def _primary(self, depth: int) -> Expression:
        token = self._take()
        match token.kind:
            case "number":
                return self._number(token)
            case "text":
                return Text(token.value)
            case "name":
                return self._named(token, depth)
            case "sign" if token.value == "(":
                inside = self.expression(0, depth + 1)
                self._need(")")
                return inside
            case "sign" if token.value == "{":
                return self._selector("", token)
            case _:
                raise self._refuse("a query expected", token)

    def _number(self, token: Token) -> Number:
        written = token.value.lower()
        value = float(int(written, 16)) if written.startswith("0x") else float(written)
        if value == inf:
            raise self._refuse("the number is too large", token)
        return Number(value)

    def _named(self, token: Token, depth: int) -> Expression:
        word = token.word
        if word in AGGREGATIONS and self._is("(", "by", "without"):
            return self._aggregation(token, depth)
        if self._is("("):
            return self._call(token, depth)
        if word in _NUMBERS:
            return Number(inf if word == "inf" else nan)
        if word in _NO_METRICS:
            raise self._refuse("a query expected", token)
        if self._accept("{"):
            return self._selector(token.value, token)
        return Selector(token.value, (), token.position)

    def _selector(self, metric: str, begins: Token) -> Selector:
        matchers: list[Matcher] = []
        while not self._accept("}"):
            matchers.append(self._matcher(metric))
            if not self._accept(",") and not self._is("}"):
                raise self._refuse(", or } expected")
        if not metric and not any(_says_something(each) for each in matchers):
            raise self._refuse("series need a name, or a label that is not empty", begins)
        return Selector(metric, tuple(matchers), begins.position)

    def _matcher(self, metric: str) -> Matcher:
        label, operator, value = self._take(), self._take(), self._take()
        if label.kind != "name" or _label.fullmatch(label.value) is None:
            raise self._refuse("the name of a label expected", label)
        if operator.value not in {"=", "!=", "=~", "!~"} or operator.kind != "sign":
            raise self._refuse("=, !=, =~ or !~ expected", operator)
        if value.kind != "text":
            raise self._refuse("a text in quotes expected", value)
        if metric and label.value == "__name__":
            raise self._refuse("the name is given twice", label)
        if "~" in operator.value:
            try:
                re.compile(value.value)
            except re.error as error:
                raise self._refuse(f"no regular expression: {error}", value) from None
        return Matcher(label.value, operator.value, value.value)

    def _labels(self) -> tuple[str, ...]:
        self._need("(")
        labels: list[str] = []
        while not self._accept(")"):
            token = self._take()
            if token.kind != "name" or token.word in _NO_LABELS or _label.fullmatch(token.value) is None:
                raise self._refuse("the name of a label expected", token)
            labels.append(token.value)
            if not self._accept(",") and not self._is(")"):
                raise self._refuse(", or ) expected")
        return tuple(labels)

    def _arguments(self, depth: int) -> list[Expression]:
        self._need("(")
        arguments: list[Expression] = []
        while not self._is(")"):
            arguments.append(self.expression(0, depth + 1))
            if not self._accept(","):
                break
            if self._is(")"):
                raise self._refuse("an argument expected")
        self._need(")")
        return arguments

    def _aggregation(self, token: Token, depth: int) -> Aggregation:
        operator = token.word
        grouping = self._grouping()
        arguments = self._arguments(depth)
        grouping = grouping or self._grouping() or ((), False)
        wanted: list[Kind] = ["vector"]
        if operator in PARAMETERS:
            wanted.insert(0, PARAMETERS[operator])
        if [kind_of(each) for each in arguments] != wanted:
            raise self._refuse(f"{operator} takes {' and '.join(wanted)}", token)
        parameter = arguments[0] if len(arguments) > 1 else None
        return Aggregation(operator, arguments[-1], parameter, *grouping, token.position)

    def _grouping(self) -> tuple[tuple[str, ...], bool] | None:
        if not self._is("by", "without"):
            return None
        without = self._take().word == "without"
        return self._labels(), without

    def _call(self, token: Token, depth: int) -> Call:
        function = FUNCTIONS.get(token.value)
        if function is None:
            raise self._refuse(f"there is no function {token.value}", token)
        arguments = self._arguments(depth)
        self._check_arguments(token, function, arguments)
        return Call(token.value, tuple(arguments), token.position)

    def _check_arguments(self, token: Token, function: Function, arguments: list[Expression]) -> None:
        wanted = list(function.arguments)
        if function.repeated:
            wanted += [wanted[-1]] * (len(arguments) - len(wanted))
        least = len(function.arguments) - function.optional - function.repeated
        if not least <= len(arguments) <= len(wanted):
            raise self._refuse(f"{token.value} takes {', '.join(function.arguments) or 'nothing'}", token)
        for number, (argument, kind) in enumerate(zip(arguments, wanted, strict=False), 1):
            if kind_of(argument) != kind:
                found = kind_of(argument)
                raise self._refuse(f"argument {number} of {token.value} must be a {kind}, not a {found}", token)


def _says_something(matcher: Matcher) -> bool:
    """Whether a condition is not fulfilled by an empty label, so that it cannot select everything."""
    match matcher.operator:
        case "=":
            return bool(matcher.value)
        case "!=":
            return not matcher.value
        case "=~":
            return re.fullmatch(matcher.value, "") is None
        case _:
            return re.fullmatch(matcher.value, "") is not None
