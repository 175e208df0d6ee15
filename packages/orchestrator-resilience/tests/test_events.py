"""The words of decisions are all there is."""

from __future__ import annotations

from typing import get_args

from orchestrator_resilience.events import DECISIONS, Policy
from orchestrator_resilience.manager import Outcome


def test_every_policy_has_its_words_and_a_pipeline_has_those_of_its_outcomes():
    assert set(DECISIONS) == set(get_args(Policy))
    assert DECISIONS["pipeline"] == set(get_args(Outcome)) - {"success"}
    assert all(word.isidentifier() for words in DECISIONS.values() for word in words)
