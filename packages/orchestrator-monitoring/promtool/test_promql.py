"""Prometheus and our parser give the same verdict on every query, and on queries that are broken at random."""

import json
import random
import re
import subprocess

import pytest
from promql_queries import BAD, GOOD

from orchestrator_monitoring._dashboards.promql import PromqlRefused, parse

_REFUSED = re.compile(r"rule (\d+), ")


def refused(queries, tmp_path):
    """Which of the queries Prometheus refuses, by their number."""
    rules = [{"record": f"r{number}", "expr": query} for number, query in enumerate(queries)]
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "g", "rules": rules}]}))
    found = subprocess.run(
        ["promtool", "check", "rules", file], capture_output=True, text=True, check=False, timeout=120
    )
    return {int(number) - 1 for number in _REFUSED.findall(found.stderr + found.stdout)}


def ours(queries):
    wrong = set()
    for number, query in enumerate(queries):
        try:
            parse(query)
        except PromqlRefused:
            wrong.add(number)
    return wrong


def differences(queries, tmp_path):
    theirs, own = refused(queries, tmp_path), ours(queries)
    return [
        (queries[number], "they refuse it" if number in theirs else "we refuse it") for number in sorted(theirs ^ own)
    ]


def test_the_table(tmp_path):
    queries = [*GOOD, *BAD]
    assert refused(queries, tmp_path) == set(range(len(GOOD), len(queries)))


def test_our_verdict_is_theirs(tmp_path):
    assert differences([*GOOD, *BAD], tmp_path) == []


@pytest.mark.parametrize("seed", range(10))
def test_broken_at_random(tmp_path, seed):
    chance = random.Random(seed)
    pieces = [piece for query in GOOD for piece in re.findall(r"\w+|\s+|[^\w\s]", query)]
    queries = []
    for _ in range(3000):
        words = re.findall(r"\w+|\s+|[^\w\s]", chance.choice(GOOD))
        for _ in range(chance.choice([1, 1, 2])):
            at = chance.randrange(len(words) + 1)
            words[at : at + chance.choice([0, 1])] = [chance.choice(pieces)] if chance.random() < 0.7 else []
        query = "".join(words)
        if query.strip():
            queries.append(query)
    assert differences(queries, tmp_path) == []
