"""PromQL: what Prometheus takes we take, what it refuses we refuse; `promtool/test_promql.py` holds the table against Prometheus itself."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from promql_queries import BAD, GOOD

from orchestrator_monitoring._dashboards.promql import Aggregation, Binary, Call, Number, PromqlRefused, Selector, parse
from orchestrator_monitoring._dashboards.promql_tree import Subquery, Unary, selectors_of


@pytest.mark.parametrize("query", GOOD)
def test_taken(query):
    parse(query)


@pytest.mark.parametrize("query", BAD)
def test_refused_with_its_place(query):
    with pytest.raises(PromqlRefused) as refused:
        parse(query)
    assert 1 <= refused.value.position <= len(query) + 1
    assert f"at character {refused.value.position}: " in str(refused.value)


class TestTree:
    def test_operators_bind_as_in_prometheus(self):
        tree = parse("a or b and c == d + e * f ^ g ^ h")
        operators = []
        while isinstance(tree, Binary):
            operators.append(tree.operator)
            tree = tree.right
        assert operators == ["or", "and", "==", "+", "*", "^", "^"]
        assert parse("a - b - c").left.operator == "-"

    def test_a_sign_binds_looser_than_a_power(self):
        assert parse("-x ^ 2").operator == "-"
        assert isinstance(parse("-x ^ 2"), Unary)
        assert isinstance(parse("-x * 2"), Binary)

    def test_parts(self):
        tree = parse('sum by (a, b) (rate(x_total{a="1",b=~"2|3"}[1h30m] offset 5m))')
        assert isinstance(tree, Aggregation)
        assert (tree.operator, tree.labels, tree.without) == ("sum", ("a", "b"), False)
        assert isinstance(tree.query, Call)
        [selector] = selectors_of(tree)
        assert (selector.metric, selector.range) == ("x_total", 5400)
        assert [(each.label, each.operator, each.value) for each in selector.matchers] == [
            ("a", "=", "1"),
            ("b", "=~", "2|3"),
        ]

    def test_subqueries_and_parameters_are_looked_into(self):
        tree = parse("topk(scalar(n), max_over_time(rate(x[5m])[1h:1m]))")
        assert sorted(each.metric for each in selectors_of(tree)) == ["n", "x"]
        assert parse("x[1h:1m]") == Subquery(Selector("x", (), 1), 3600, 60)

    @pytest.mark.parametrize(("written", "value"), [("0x1F", 31), ("1e3", 1000), (".5", 0.5), ("Inf", float("inf"))])
    def test_numbers(self, written, value):
        assert parse(written) == Number(value)

    @pytest.mark.parametrize(
        ("written", "said"), [(r'"a\n\""', 'a\n"'), (r"'\x41ü'", "Aü"), (r"`\n`", r"\n"), ('"#"', "#")]
    )
    def test_texts(self, written, said):
        [selector] = selectors_of(parse(f"x{{a={written}}}"))
        assert selector.matchers[0].value == said


class TestProperties:
    @given(st.text(alphabet='x_total{}="~!<>()[]:,@+-*/^ 0123456789msby\\', max_size=40))
    def test_nothing_breaks_the_parser(self, query):
        with suppress(PromqlRefused):
            parse(query)

    @given(st.text(max_size=200))
    def test_every_value_stays_a_value(self, value):
        quoted = '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
        [selector] = selectors_of(parse(f"x{{a={quoted}}}"))
        assert (selector.metric, selector.matchers[0].value) == ("x", value)

    def test_a_deep_query_is_refused_and_not_the_end_of_the_process(self):
        for query in ("(" * 200 + "x" + ")" * 200, "-" * 500 + "x", "x ^ " * 200 + "x"):
            with pytest.raises(PromqlRefused, match="deep"):
                parse(query)
        with pytest.raises(PromqlRefused, match="more than 600 words"):
            parse("x + " * 5000 + "x")
        assert len(list(selectors_of(parse("x + " * 290 + "x")))) == 291
