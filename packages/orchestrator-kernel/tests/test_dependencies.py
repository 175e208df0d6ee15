"""The typed registry."""

from typing import Protocol

import pytest

from orchestrator_kernel.dependencies import Registry
from orchestrator_kernel.exceptions import ConfigurationError


class Greeter(Protocol):
    def greet(self) -> str: ...


class Polite:
    def greet(self) -> str:
        return "good morning"


def test_what_was_provided_comes_back_by_its_protocol():
    registry = Registry()
    polite = registry.provide(Greeter, Polite())
    assert registry.get(Greeter) is polite
    assert Greeter in registry
    assert Polite not in registry


def test_two_answers_to_one_question_are_refused():
    registry = Registry()
    first = registry.provide(Greeter, Polite())
    with pytest.raises(ConfigurationError, match="Greeter is provided twice"):
        registry.provide(Greeter, Polite())
    assert registry.get(Greeter) is first


def test_what_is_missing_is_named_with_what_there_is():
    registry = Registry()
    with pytest.raises(ConfigurationError, match="Greeter is not provided; there is nothing"):
        registry.get(Greeter)
    registry.provide(Polite, Polite())
    with pytest.raises(ConfigurationError, match="there is Polite"):
        registry.get(Greeter)


def test_registries_share_nothing():
    Registry().provide(Greeter, Polite())
    assert Greeter not in Registry()
