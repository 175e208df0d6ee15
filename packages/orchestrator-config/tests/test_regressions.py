"""What other loaders get wrong: three gaps of pydantic-settings, and the defects of earlier settings modules."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Any, Literal

import pytest
from pydantic import ConfigDict, Field, SecretStr, ValidationError, field_validator

from orchestrator_config import Environment, Settings, SettingsError, TomlFile, Values, load, redacted
from orchestrator_kernel import ConfigurationError


class Nested(Settings):
    table: dict[str, list[int]] = Field(default={"a": [1]})


class App(Settings):
    debug: bool = False
    nested: Nested = Nested()
    secret: SecretStr = Field(default=SecretStr("long-enough"), min_length=8)


# Gap 1: frozen=True freezes the names, not what they stand for.
def test_nested_tables_and_lists_are_immutable():
    value = load(App).value
    with pytest.raises(TypeError):
        value.nested.table["b"] = [2]
    with pytest.raises(AttributeError):
        value.nested.table["a"].append(2)


# Gap 2: extra="forbid" does not see a misspelt variable, and a nested model that forgets it takes anything.
def test_a_misspelt_variable_is_refused_at_every_depth():
    for name in ("ORCH_DEBGU", "ORCH_NESTED__TABEL", "ORCH_NESTED_TABLE"):
        with pytest.raises(SettingsError, match=name):
            load(App, sources=[Environment({name: "1"}, prefix="ORCH_")])


# Gap 3: a secret that is too short stands in errors() and json() of the error.
def test_a_secret_that_is_too_short_is_in_no_error():
    with pytest.raises(SettingsError) as ours:
        load(App, sources=[Environment({"ORCH_SECRET": "hunter2"}, prefix="ORCH_")])
    with pytest.raises(ValidationError) as pydantics:
        App(secret=SecretStr("hunter2"))
    with pytest.raises(ValidationError) as plain:
        App.model_validate({"secret": "hunter2"})
    for error in (ours.value, pydantics.value, plain.value):
        for text in (str(error), repr(error), repr(error.errors()), error.json()):
            assert "hunter2" not in text


class Infrastructure(Settings):
    host: str
    port: int = Field(ge=1, le=65535)
    password: SecretStr = Field(min_length=8)
    pool_size: int = 10


class Auth(Settings):
    jwt_secret_key: SecretStr = Field(min_length=32)
    jwt_algorithm: Literal["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"] = "RS256"
    jwt_expiration_minutes: int = 15


class Security(Settings):
    cors_allowed_origins: tuple[str, ...] = ()

    @field_validator("cors_allowed_origins")
    @classmethod
    def no_wildcard(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        if "*" in origins:
            raise ValueError("must not allow every origin")
        return origins


class Service(Settings):
    service_name: str = "orchestrator"
    environment: Literal["development", "staging", "production"]
    region: Literal["eu-west-1", "eu-central-1", "westeurope"]
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    database: Infrastructure
    auth: Auth
    security: Security = Security()


FILE = """
environment = "production"
region = "eu-central-1"
[database]
host = "db"
port = 5432
password = "database-password"
[auth]
jwt_secret_key = "0123456789abcdef0123456789abcdef"
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "service.toml"
    path.write_text(FILE)
    return path


def test_the_file_that_is_asked_for_is_read_and_loading_works(file):
    settings = load(Service, sources=[TomlFile(file), Environment({}, prefix="SERVICE_")])
    assert settings.value.database.host == "db"
    assert settings.value.auth.jwt_expiration_minutes == 15


def test_a_missing_file_never_falls_back_to_something_that_works(tmp_path):
    with pytest.raises(SettingsError, match="there is no such file"):
        load(App, sources=[TomlFile(tmp_path / "missing.toml")])


def test_names_of_before_keep_working(file):
    aliases = {
        "VOICEHIVE_ENVIRONMENT": "environment",
        "VOICEHIVE_DATABASE__POOL_SIZE": "database.pool_size",
        "VOICEHIVE_AUTH__JWT_EXPIRATION_MINUTES": "auth.jwt_expiration_minutes",
    }
    old = {"VOICEHIVE_ENVIRONMENT": "staging", "VOICEHIVE_DATABASE__POOL_SIZE": "3"}
    settings = load(Service, sources=[TomlFile(file), Environment(old, prefix="SERVICE_")], aliases=aliases)
    assert (settings.value.environment, settings.value.database.pool_size) == ("staging", 3)
    assert len(settings.warnings) == 2


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ENVIRONMENT", "prod"),
        ("REGION", "us-east-1"),
        ("AUTH__JWT_ALGORITHM", "none"),
        ("AUTH__JWT_ALGORITHM", "HS256"),
        ("AUTH__JWT_SECRET_KEY", "short"),
        ("SECURITY__CORS_ALLOWED_ORIGINS", "https://a.example,*"),
        ("DATABASE__PORT", "65536"),
        ("LOG_LEVEL", "LOUD"),
    ],
)
def test_every_rule_of_the_model_is_in_force(file, name, text):
    source = Environment({f"SERVICE_{name}": text}, prefix="SERVICE_")
    with pytest.raises(SettingsError) as caught:
        load(Service, sources=[TomlFile(file), source])
    assert [each.source for each in caught.value.problems] == [f"SERVICE_{name}"]


def test_secrets_are_in_nothing_that_is_written_down(file):
    settings = load(Service, sources=[TomlFile(file)])
    for text in (
        repr(settings),
        repr(settings.explain()),
        repr(redacted(settings.value)),
        settings.value.model_dump_json(),
    ):
        assert "database-password" not in text
        assert "0123456789abcdef" not in text


def test_integrity_compares_two_things_not_one_with_itself(file):
    before = load(Service, sources=[TomlFile(file)])
    file.write_text(FILE.replace("5432", "5433"))
    after = load(Service, sources=[TomlFile(file)])
    assert before.digest != after.digest
    file.write_text(FILE.replace("database-password", "another-password"))
    key = b"0123456789abcdef"
    assert before.digest == load(Service, sources=[TomlFile(file)]).digest
    assert before.keyed_digest(key) != load(Service, sources=[TomlFile(file)]).keyed_digest(key)


def test_a_default_is_held_to_the_rules_too():
    class Wrong(Settings):
        level: Literal["low", "high"] = "medium"  # type: ignore[assignment]

    with pytest.raises(SettingsError, match="should be 'low' or 'high'"):
        load(Wrong)


def test_importing_reads_no_variable_makes_no_file_and_builds_no_model(tmp_path):
    program = """
import os, sys
class Watched(dict):
    def get(self, name, default=None):
        if not name.startswith("PYDANTIC"):  # pydantic's own switches
            raise SystemExit(f"read {name}")
        return default
    __getitem__ = get
import pydantic, orchestrator_kernel, typing, encodings.idna
before = set(sys.modules)
import orchestrator_config
assert {name for name in set(sys.modules) - before} == {"orchestrator_config"}, set(sys.modules) - before
class Warm(pydantic.BaseModel):
    pass
os.environ = Watched()
import orchestrator_config.settings
assert os.listdir(".") == [], os.listdir(".")
"""
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_settings_can_be_kept_in_sets_and_compared():
    class Names(Settings):
        names: Mapping[str, tuple[int, ...]] = {"a": (1,)}
        anything: Any = None

    assert len({load(Names).value, load(Names).value}) == 1
    assert load(Names).value != load(Names, sources=[Values({"anything": [1]})]).value


def test_the_program_is_told_when_its_model_is_at_fault_and_not_its_operator():
    class Loose(Settings):
        model_config = ConfigDict(frozen=False)

    with pytest.raises(ConfigurationError) as caught:
        load(Loose)
    assert not isinstance(caught.value, SettingsError)
