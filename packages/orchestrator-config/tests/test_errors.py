"""Everything that is wrong is said at once, with its place and the nearest known name."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Mapping
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, SecretStr, model_validator

from orchestrator_config import Environment, Settings, SettingsError, SettingsProblem, TomlFile, Values, load
from orchestrator_kernel import ConfigurationError


class Database(Settings):
    url: SecretStr
    pool_size: int = Field(default=10, ge=1)
    max_overflow: int = 20

    @model_validator(mode="after")
    def check(self) -> Database:
        if self.max_overflow < self.pool_size:
            raise ValueError("max_overflow must be at least pool_size")
        return self


class Tenant(Settings):
    name: str
    limit: int = 1


class App(Settings):
    debug: bool = False
    region: str
    database: Database
    tenants: Mapping[str, Tenant] = {}
    lines: tuple[Tenant, ...] = ()


def problems(*sources: object) -> tuple[SettingsProblem, ...]:
    with pytest.raises(SettingsError) as error:
        load(App, sources=sources)  # type: ignore[arg-type]
    return error.value.problems


def test_all_problems_of_all_sources_are_told_at_once(tmp_path):
    file = tmp_path / "app.toml"
    file.write_text(
        'databse = 1\n\n[database]\npool_size = 0\n[tenants.a]\nnmae = "x"\n[[lines]]\nname = "x"\n[[lines]]\nlimit = "2"\n'
    )
    variables = {
        "APP_DEBGU": "1",
        "APP_DEBUG": "maybe",
        "APP_DATABASE_URL": "x",
        "APP_TENANTS__B__LIMIT": "1",
        "OTHER": "x",
    }
    found = problems(TomlFile(file), Environment(variables, prefix="APP_"))
    assert found == (
        SettingsProblem("database.pool_size", f"{file}:4", "should be greater than or equal to 1"),
        SettingsProblem("database.url", "", "is required; set APP_DATABASE__URL"),
        SettingsProblem("database_url", "APP_DATABASE_URL", "is not a known setting", "APP_DATABASE__URL"),
        SettingsProblem("databse", f"{file}:1", "is not a known setting", "database"),
        SettingsProblem("debgu", "APP_DEBGU", "is not a known setting", "APP_DEBUG"),
        SettingsProblem("debug", "APP_DEBUG", "should be true, false, 1, 0, yes, no, on or off"),
        SettingsProblem("lines[1].limit", f"{file}:10", "should be an integer, not text: write it without quotes"),
        SettingsProblem("lines[1].name", "", "is required"),
        SettingsProblem("region", "", "is required; set APP_REGION"),
        SettingsProblem("tenants.a.name", "", "is required; set APP_TENANTS__A__NAME"),
        SettingsProblem("tenants.a.nmae", f"{file}:6", "is not a known setting", "tenants.a.name"),
        SettingsProblem("tenants.b.name", "", "is required; set APP_TENANTS__B__NAME"),
    )


def test_the_error_reads_well_and_travels_well():
    with pytest.raises(SettingsError) as caught:
        load(App, sources=[Values({"region": "eu", "databse": {}}, name="test")])
    error = caught.value
    assert str(error) == (
        "2 settings are wrong:\n"
        "  database.url: is required\n"
        "  databse: is not a known setting; did you mean database? (test)"
    )
    assert isinstance(error, ConfigurationError)
    assert error.code == "settings_invalid"
    assert error.details == {"settings": ("database.url", "databse")}
    assert json.loads(error.json()) == error.errors()
    assert error.errors()[1] == {
        "path": "databse",
        "source": "test",
        "reason": "is not a known setting",
        "nearest": "database",
    }
    copied = pickle.loads(pickle.dumps(error))
    assert (copied.problems, str(copied), copied.code) == (error.problems, str(error), error.code)


def test_a_setting_at_the_wrong_place_is_sent_to_the_right_one():
    found = problems(Values({"region": "eu", "database": {"url": "x", "pool": {"max_overflow": 1}}, "max_overflow": 3}))
    assert [(each.path, each.nearest) for each in found] == [
        ("database.pool", "database.pool_size"),
        ("max_overflow", "database.max_overflow"),
    ]


def test_what_is_like_nothing_gets_no_suggestion():
    found = problems(Values({"region": "eu", "database": {"url": "x"}, "zzz": 1}))
    assert [(each.path, each.nearest) for each in found] == [("zzz", "")]


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("APP_DATABSE__URL", "APP_DATABASE__URL"),
        ("APP_DATABASE__ULR", "APP_DATABASE__URL"),
        ("APP_DATABASE_URL", "APP_DATABASE__URL"),
        ("APP_URL", ""),
        ("APP_TENANTS__ACME__NMAE", "APP_TENANTS__ACME__NAME"),
        ("APP_Region", "APP_REGION"),
        ("app_region", "APP_REGION"),
        ("APP_", ""),
        ("APP___", ""),
        ("APP_TENANTS__", "APP_TENANTS"),
    ],
)
def test_a_misspelt_variable_is_refused_with_the_nearest_one(name, near):
    variables = {"APP_REGION": "eu", "APP_DATABASE__URL": "x", name: "1"}
    found = problems(Environment(variables, prefix="APP_"))
    assert [(each.source, each.nearest) for each in found] == [(name, near)]


@given(st.text(alphabet="ABCDEFGHIJ_", min_size=1).filter(lambda name: name != "DEBUG"))
def test_no_variable_under_the_prefix_goes_unnoticed(name):
    variables = {"APP_REGION": "eu", "APP_DATABASE__URL": "x", f"APP_{name}": "1"}
    assert f"APP_{name}" in {each.source for each in problems(Environment(variables, prefix="APP_"))}


def test_validators_across_fields_are_told_with_the_path_of_their_model():
    found = problems(Values({"region": "eu", "database": {"url": "x", "max_overflow": 1}}))
    assert found == (SettingsProblem("database", "", "max_overflow must be at least pool_size"),)


def test_what_follows_from_another_problem_is_not_told():
    found = problems(Values({"region": "eu", "database": {"url": "x", "pool_size": "9", "max_overflow": 1}}))
    assert [each.path for each in found] == ["database.pool_size"]


def test_a_file_that_cannot_be_used_is_told_with_its_line(tmp_path):
    file = tmp_path / "app.toml"
    assert problems(TomlFile(file)) == (SettingsProblem("", str(file), "there is no such file"),)
    assert problems(TomlFile(tmp_path)) == (SettingsProblem("", str(tmp_path), "cannot be read: Is a directory"),)
    for text, line, reason in (
        (b"a = 1\nb = \n", 2, "is not valid TOML in column 5: invalid value"),
        (b"a = 1\na = 2\n", 2, "is not valid TOML in column 6: cannot overwrite a value"),
        (b"a = 1\nsecret\n", 2, "is not valid TOML in column 7: a key without ="),
        (b"a = 1\nb = 'hunter2\nc = ''", 2, "is not valid TOML in column 13: a character that is not allowed here"),
        (b"[a]\n[a]\n", 2, "is not valid TOML in column 3: a table is declared twice"),
        (b"a = 1\n\nb = '\xff'\n", 3, "is not encoded in UTF-8"),
    ):
        file.write_bytes(text)
        assert problems(TomlFile(file)) == (SettingsProblem("", f"{file}:{line}", reason),)
    file.write_text('a = """x')
    assert problems(TomlFile(file)) == (SettingsProblem("", str(file), "is not valid TOML: it ends too early"),)


def test_a_file_nested_beyond_reason_is_told(tmp_path):
    (tmp_path / "app.toml").write_text("a = " + "[" * 100_000)
    assert problems(TomlFile(tmp_path / "app.toml"))[0].reason.startswith("is n")


def test_an_unreadable_file_does_not_hide_what_is_wrong_elsewhere_nor_invents_more(tmp_path):
    found = problems(TomlFile(tmp_path / "missing"), Environment({"APP_DEBGU": "1"}, prefix="APP_"))
    assert [each.source for each in found] == [str(tmp_path / "missing"), "APP_DEBGU"]


def test_a_file_may_be_optional(tmp_path):
    given_values = Values({"region": "eu", "database": {"url": "x"}})
    assert load(App, sources=[TomlFile(tmp_path / "missing", required=False), given_values]).value.region == "eu"
    assert "cannot be read" in problems(TomlFile(tmp_path, required=False), given_values)[0].reason


def test_a_file_without_permission_is_told(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert problems(TomlFile(tmp_path / "loop"))[0].reason == f"cannot be read: {os.strerror(40)}"


def test_names_that_would_disturb_a_terminal_are_quoted():
    found = problems(
        Values({"region": "eu", "database": {"url": "x"}, "a\x1b[31m": 1}),
        Environment({"APP_\x1b": "1"}, prefix="APP_"),
    )
    for problem in found:
        assert str(problem).isprintable()


def test_an_array_with_a_wrong_element_is_not_called_too_short_as_well():
    class Languages(Settings):
        tags: tuple[Annotated[str, Field(pattern=r"^[a-z]+$")], ...] = Field(min_length=1)

    with pytest.raises(SettingsError) as error:
        load(Languages, sources=[Values({"tags": ["DE"]})])
    assert [each.path for each in error.value.problems] == ["tags[0]"]
    with pytest.raises(SettingsError) as error:
        load(Languages, sources=[Values({"tags": []})])
    assert [each.path for each in error.value.problems] == ["tags"]
