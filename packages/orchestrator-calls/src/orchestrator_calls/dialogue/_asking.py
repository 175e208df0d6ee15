"""Sentences that book nothing: questions about what the house allows, and callers who say that they want nothing."""

from __future__ import annotations

from orchestrator_calls.dialogue._lexicon import Kind
from orchestrator_calls.dialogue._listening import Utterance
from orchestrator_calls.dialogue._matcher import Match

__all__ = ["rule_asked", "wishes_nothing"]


def rule_asked(utterance: Utterance) -> Match | None:
    """Where the sentence asks what is allowed or demanded ("may the dog come into the restaurant"), if it wishes for nothing."""
    lexicon = utterance.lexicon
    words = {token.word for token in utterance.tokens}
    if not lexicon.reserving.isdisjoint(words):
        return None
    if not lexicon.wanting.isdisjoint(words) and lexicon.asking.isdisjoint(words):
        return None
    rule = max(lexicon.rules_asked.matches(utterance.tokens), key=lambda match: match.score, default=None)
    # The values last: reading them costs most.
    valued = rule is not None and any(mention.kind in (Kind.PARTY, Kind.TIME) for mention in utterance.mentions)
    return None if valued else rule


def wishes_nothing(utterance: Utterance) -> bool:
    """Whether the caller says that nothing is to be booked, and gives nothing that could be."""
    if not utterance.lexicon.nothing_wished.matches(utterance.tokens):
        return False
    values = (Kind.PARTY, Kind.TIME, Kind.DATE, Kind.NIGHTS, Kind.RANGE)
    return not any(mention.kind in values for mention in utterance.mentions)
