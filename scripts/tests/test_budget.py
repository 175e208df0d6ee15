"""The budgets, on small statements and on distributions that are installed here."""

import pytest
from scripts.budget import Budget, Costs, base_install, foreign_modules, loaded_by, measure

SLOW = "sum(range(3_000_000))"


def test_a_base_install_holds_no_extras():
    kernel = base_install("orchestrator-kernel")
    assert {"orchestrator-kernel", "pydantic", "pydantic-core"} <= kernel
    assert "fastapi" not in kernel
    assert "httpx" not in kernel


def test_an_extra_that_the_base_asks_for_is_part_of_it():
    calls = base_install("orchestrator-calls")  # asks for sqlalchemy[asyncio]
    assert {"sqlalchemy", "greenlet"} <= calls
    assert "asyncpg" not in calls


def test_a_module_of_a_distribution_that_is_not_allowed_is_named():
    owners = {"redis": ["redis"], "yaml": ["PyYAML"], "pydantic": ["pydantic"], "shared": ["a", "pydantic"]}
    loaded = ["redis.asyncio", "yaml", "pydantic.types", "shared", "os.path", "redis"]
    assert foreign_modules(loaded, {"pydantic"}, owners) == ["redis", "yaml"]
    assert foreign_modules(loaded, {"pydantic", "pyyaml", "redis"}, owners) == []


def test_what_a_statement_loads_is_seen_from_a_fresh_process():
    assert "sqlite3" in loaded_by("import sqlite3")
    assert "sqlite3" not in loaded_by("import json")


def test_a_costly_first_call_shows_in_its_ratio_and_not_in_the_import():
    budget = Budget(distributions=0, base="import json, decimal, asyncio", first_call=f"import json\n{SLOW}\n{SLOW}")
    costs = measure("json", budget, limit=1.25, fewest=3, most=4)
    assert costs.ratio(costs.package) < 1 < costs.ratio(costs.first_call)


def test_a_base_that_differs_from_itself_is_not_trusted():
    assert Costs(base=1.0, control=1.05, package=1, first_call=1).trusted
    assert not Costs(base=1.0, control=1.2, package=1, first_call=1).trusted


def test_python_that_does_not_run_is_an_error_with_its_words():
    with pytest.raises(RuntimeError, match="no_such_module"):
        loaded_by("import no_such_module")
