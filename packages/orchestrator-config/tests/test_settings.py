"""Loading: which source wins, what is merged, where a value came from, old names."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator

from orchestrator_config import Environment, Origin, Settings, SettingsError, TomlFile, Values, load
from orchestrator_kernel import ConfigurationError


class Pool(Settings):
    size: int = 10
    overflow: int = 20


class Database(Settings):
    host: str = "localhost"
    port: int = 5432
    pool: Pool = Pool(size=11)


class Tenant(Settings):
    name: str = ""
    numbers: tuple[str, ...] = ()
    limit: int = 5


class App(Settings):
    name: str = "orchestrator"
    debug: bool = False
    ratio: float = 0.5
    database: Database = Database()
    tenants: Mapping[str, Tenant] = {}
    languages: tuple[str, ...] = ("en",)


LEAVES = ("name", "database.host", "database.port", "database.pool.size", "database.pool.overflow")
DEFAULTS = {
    "name": "orchestrator",
    "database.host": "localhost",
    "database.port": 5432,
    "database.pool.size": 11,
    "database.pool.overflow": 20,
}


def nested(flat: Mapping[str, object]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, value in flat.items():
        *groups, leaf = path.split(".")
        place = tree
        for group in groups:
            place = place.setdefault(group, {})
        place[leaf] = value
    return tree


def toml_lines(flat: Mapping[str, object]) -> list[str]:
    return [f"{path} = {value!r}" for path, value in flat.items()]


def value_at(value: Any, path: str) -> object:
    for step in path.split("."):
        value = getattr(value, step)
    return value


def layer(index: int, paths: list[str]) -> dict[str, object]:
    return {path: f"v{index}" if isinstance(DEFAULTS[path], str) else 1000 * index + len(path) for path in paths}


subsets = st.lists(st.sampled_from(LEAVES), unique=True)


@given(first=subsets, second=subsets, environment=subsets, values=subsets)
def test_every_leaf_comes_from_the_last_source_that_has_it(tmp_path_factory, first, second, environment, values):
    folder = tmp_path_factory.mktemp("files")
    layers = [layer(index, paths) for index, paths in enumerate([first, second, environment, values], start=1)]
    for name, flat in zip(("a.toml", "b.toml"), layers, strict=False):
        (folder / name).write_text("\n".join(["# first line", *toml_lines(flat)]))
    variables = {f"APP_{path.upper().replace('.', '__')}": str(value) for path, value in layers[2].items()}
    sources = [
        TomlFile(folder / "a.toml"),
        TomlFile(folder / "b.toml"),
        Environment(variables, prefix="APP_"),
        Values(nested(layers[3]), name="command line"),
    ]
    settings = load(App, sources=sources)
    for path in LEAVES:
        expected, origin = DEFAULTS[path], Origin("default")
        for index, flat in enumerate(layers):
            if path in flat:
                expected = flat[path]
                place = [*flat].index(path) + 2
                origin = [
                    Origin("file", str(folder / "a.toml"), place),
                    Origin("file", str(folder / "b.toml"), place),
                    Origin("environment", f"APP_{path.upper().replace('.', '__')}"),
                    Origin("values", "command line"),
                ][index]
        assert value_at(settings.value, path) == expected
        assert settings.origin(path) == origin
    rows = {row.path: row.origin for row in settings.explain()}
    assert rows == {row: settings.origin(row) for row in rows}


def test_defaults_alone_make_settings_and_needless_sources_are_not_read():
    settings = load(App)
    assert settings.value == App()
    assert {row.origin for row in settings.explain()} == {Origin("default")}
    assert settings.warnings == ()


def test_the_order_of_the_sources_is_the_precedence():
    a, b = Values({"name": "a"}, name="a"), Values({"name": "b"}, name="b")
    for order in itertools.permutations([a, b]):
        assert load(App, sources=order).value.name == order[-1].name


def test_tables_are_merged_and_arrays_are_replaced(tmp_path):
    file = tmp_path / "app.toml"
    file.write_text(
        'languages = ["de", "fr"]\n[tenants.a]\nname = "A"\nnumbers = ["1", "2"]\n[tenants.b]\nname = "B"\n'
    )
    variables = {"APP_TENANTS__A__NUMBERS": "3", "APP_TENANTS__C__LIMIT": "7"}
    settings = load(App, sources=[TomlFile(file), Environment(variables, prefix="APP_")])
    assert settings.value.languages == ("de", "fr")
    assert settings.value.tenants == {
        "a": Tenant(name="A", numbers=("3",)),
        "b": Tenant(name="B"),
        "c": Tenant(limit=7),
    }
    assert str(settings.origin("tenants.a.name")) == f"{file}:3"
    assert str(settings.origin("tenants.a.numbers")) == "APP_TENANTS__A__NUMBERS"
    assert str(settings.origin("tenants.c.name")) == "default"


def test_a_free_key_in_a_variable_means_the_key_that_is_there(tmp_path):
    file = tmp_path / "app.toml"
    file.write_text("[tenants.AcmeBerlin]\nlimit = 1\n")
    settings = load(App, sources=[TomlFile(file), Environment({"APP_TENANTS__ACMEBERLIN__LIMIT": "2"}, prefix="APP_")])
    assert settings.value.tenants == {"AcmeBerlin": Tenant(limit=2)}


def test_a_default_group_that_is_partly_replaced_keeps_the_rest():
    settings = load(App, sources=[Values({"database": {"pool": {"overflow": 1}}})])
    assert settings.value.database.pool == Pool(size=11, overflow=1)
    assert settings.origin("database.pool.size") == Origin("default")


def test_a_default_table_is_merged_like_any_other():
    class Limits(Settings):
        rates: Mapping[str, int] = {"call": 1, "event": 2}

    assert load(Limits, sources=[Values({"rates": {"event": 3}})]).value.rates == {"call": 1, "event": 3}


def test_the_more_specific_variable_wins_over_json_for_the_whole_group():
    variables = {"APP_DATABASE": '{"host": "json", "port": 1, "pool": {"size": 3}}', "APP_DATABASE__PORT": "2"}
    settings = load(App, sources=[Environment(variables, prefix="APP_")])
    assert settings.value.database == Database(host="json", port=2, pool=Pool(size=3))
    assert settings.origin("database.host").name == "APP_DATABASE"
    assert settings.origin("database.port").name == "APP_DATABASE__PORT"


def test_a_required_group_needs_no_mention_when_its_members_have_defaults():
    class Outer(Settings):
        pool: Pool

    assert load(Outer).value.pool == Pool()


def test_models_of_other_libraries_and_frozen_dataclasses_are_groups_too():
    class Breaker(BaseModel):
        model_config = ConfigDict(frozen=True)
        failures: int = 5
        labels: Mapping[str, str] = {}

    @dataclass(frozen=True, slots=True)
    class Limit:
        rate: float
        names: tuple[str, ...] = ()

    class Outer(Settings):
        breaker: Breaker = Breaker()
        limit: Limit = Limit(1.0)

    variables = {"APP_BREAKER__LABELS__ZONE": "a", "APP_LIMIT__NAMES": "x, y"}
    settings = load(Outer, sources=[Environment(variables, prefix="APP_")])
    assert settings.value.breaker.labels == {"zone": "a"}
    assert settings.value.limit == Limit(1.0, ("x", "y"))
    assert settings.origin("limit.rate") == Origin("default")
    with pytest.raises(SettingsError, match=r"did you mean APP_LIMIT__RATE\?"):
        load(Outer, sources=[Environment({"APP_LIMIT__RTAE": "1"}, prefix="APP_")])


def test_one_of_several_models_is_chosen_by_its_kind(tmp_path):
    class Remote(Settings):
        kind: Literal["remote"]
        url: str

    class Local(Settings):
        kind: Literal["local"] = "local"
        threads: int = 1

    class Outer(Settings):
        voice: Remote | Local = Field(default=Local(), discriminator="kind")
        voices: tuple[Remote | Local, ...] = ()

    assert load(Outer).value.voice == Local()
    remote = {"APP_VOICE__KIND": "remote", "APP_VOICE__URL": "u"}
    assert load(Outer, sources=[Environment(remote, prefix="APP_")]).value.voice == Remote(kind="remote", url="u")
    file = tmp_path / "app.toml"
    file.write_text('[[voices]]\nkind = "remote"\nurl = "u"\n[[voices]]\nkind = "local"\nthreads = 2\n')
    settings = load(Outer, sources=[TomlFile(file)])
    assert settings.value.voices == (Remote(kind="remote", url="u"), Local(threads=2))
    assert settings.origin("voices[1].threads") == Origin("file", str(file), 6)
    with pytest.raises(SettingsError) as caught:
        load(Outer, sources=[Environment({"APP_VOICE__KIND": "remoet"}, prefix="APP_")])
    assert [each.reason for each in caught.value.problems] == ["its 'kind' should be one of 'remote', 'local'"]
    mixed = {"APP_VOICE__KIND": "local", "APP_VOICE__URL": "u"}
    with pytest.raises(SettingsError) as caught:
        load(Outer, sources=[Environment(mixed, prefix="APP_")])
    assert [(each.path, each.source) for each in caught.value.problems] == [("voice.url", "APP_VOICE__URL")]


def test_a_model_may_contain_itself():
    class Menu(Settings):
        title: str = ""
        child: Menu | None = None

    Menu.model_rebuild(_types_namespace={"Menu": Menu})
    settings = load(Menu, sources=[Environment({"APP_CHILD__CHILD__TITLE": "deep"}, prefix="APP_")])
    assert settings.value.child == Menu(child=Menu(title="deep"))


T = TypeVar("T")


def test_a_generic_model_is_a_model():
    class Range(Settings, Generic[T]):
        low: T
        high: T

    class Outer(Settings):
        ports: Range[int]

    variables = {"APP_PORTS__LOW": "1", "APP_PORTS__HIGH": "2"}
    assert load(Outer, sources=[Environment(variables, prefix="APP_")]).value.ports.high == 2


def test_validators_of_the_model_see_the_text_first_when_they_ask_for_it():
    class Level(IntEnum):
        LOW = 1

    class Colour(Enum):
        RED = "red"

    class Outer(Settings):
        size: Annotated[int, BeforeValidator(lambda text: int(text.removesuffix("k")) * 1000)] = 1
        names: tuple[str, ...] = ()
        level: Level = Level.LOW
        colour: Colour = Colour.RED

        @field_validator("names", mode="before")
        @classmethod
        def split(cls, text):
            return text.split("|") if isinstance(text, str) else text

    variables = {"APP_SIZE": "4k", "APP_NAMES": "a|b,c", "APP_LEVEL": "1", "APP_COLOUR": "red"}
    made = load(Outer, sources=[Environment(variables, prefix="APP_")]).value
    assert (made.size, made.names, made.level, made.colour) == (4000, ("a", "b,c"), Level.LOW, Colour.RED)


def test_old_names_load_with_a_warning():
    aliases = {"DB_HOST": "database.host", "OLD_LANGUAGES": "languages"}
    settings = load(
        App,
        sources=[Environment({"DB_HOST": "old", "OLD_LANGUAGES": "de,fr"}, prefix="APP_")],
        aliases=aliases,
    )
    assert settings.value.database.host == "old"
    assert settings.value.languages == ("de", "fr")
    assert settings.origin("database.host") == Origin("environment", "DB_HOST")
    assert {str(warning) for warning in settings.warnings} == {
        "DB_HOST: is an old name; set APP_DATABASE__HOST instead",
        "OLD_LANGUAGES: is an old name; set APP_LANGUAGES instead",
    }


def test_a_new_name_wins_over_its_old_one_and_says_so():
    variables = {"DB_HOST": "old", "APP_DATABASE__HOST": "new"}
    settings = load(App, sources=[Environment(variables, prefix="APP_")], aliases={"DB_HOST": "database.host"})
    assert settings.value.database.host == "new"
    assert [(each.source, each.path) for each in settings.warnings] == [("DB_HOST", "database.host")]


def test_an_old_name_may_lie_under_the_prefix():
    settings = load(App, sources=[Environment({"APP_OLD": "x"}, prefix="APP_")], aliases={"APP_OLD": "name"})
    assert settings.value.name == "x"


def test_two_old_names_that_disagree_are_refused_and_equal_ones_are_not():
    aliases = {"HOST_A": "database.host", "HOST_B": "database.host"}
    assert load(App, sources=[Environment({"HOST_A": "x", "HOST_B": "x"}, prefix="APP_")], aliases=aliases)
    with pytest.raises(SettingsError, match="HOST_B"):
        load(App, sources=[Environment({"HOST_A": "x", "HOST_B": "y"}, prefix="APP_")], aliases=aliases)


def test_an_alias_may_stand_for_a_member_of_a_table():
    class Doors(Settings):
        secrets: Mapping[str, SecretStr] = {}
        name: str = ""

    loaded = load(
        Doors, sources=[Environment({"OLD_SECRET": "s-1"}, prefix="APP_")], aliases={"OLD_SECRET": "secrets.earlier"}
    )
    assert loaded.value.secrets["earlier"].get_secret_value() == "s-1"
    assert "set APP_SECRETS__EARLIER instead" in str(loaded.warnings[0])
    for wrong in ("name.earlier", "secrets."):
        with pytest.raises(ConfigurationError, match="do not exist"):
            load(Doors, aliases={"OLD_SECRET": wrong})


def test_an_alias_for_a_setting_that_does_not_exist_is_the_programs_own_fault():
    with pytest.raises(ConfigurationError, match=r"OLD = database.hots.*database.host"):
        load(App, aliases={"OLD": "database.hots"})


def test_a_variable_that_is_no_setting_can_be_named_as_such():
    # An orchestrator of containers sets the latter for a service named `app`.
    variables = {"APP_FILE": "x", "APP_PORT": "tcp://10.0.0.1:80", "APP_PORT_80_TCP_ADDR": "10.0.0.1"}
    source = Environment(variables, prefix="APP_", ignore={"APP_FILE", "APP_PORT", "APP_PORT_*"})
    assert load(App, sources=[source]).value == App()


def test_what_is_no_source_is_refused_and_not_passed_over():
    with pytest.raises(ConfigurationError, match="dict is no source"):
        load(App, sources=[{"name": "x"}])  # type: ignore[list-item]


@pytest.mark.parametrize("prefix", ["", "APP", "app_", "_"])
def test_a_prefix_that_would_catch_too_much_is_refused(prefix):
    with pytest.raises(ConfigurationError, match="prefix"):
        Environment({}, prefix=prefix)


def test_only_what_is_passed_in_is_read(monkeypatch):
    monkeypatch.setenv("APP_NAME", "from the process")
    assert load(App, sources=[Environment({}, prefix="APP_")]).value.name == "orchestrator"


def test_origin_of_a_group_an_element_and_of_nothing():
    settings = load(App, sources=[Values({"database": {"host": "h"}, "languages": ["de"]}, name="test")])
    assert settings.origin("languages[0]") == Origin("values", "test")
    assert settings.origin("tenants") == Origin("default")
    with pytest.raises(ConfigurationError, match="several places"):
        settings.origin("database")
    with pytest.raises(ConfigurationError, match=r"did you mean database.host\?"):
        settings.origin("database.hots")


def test_a_secret_model_default_and_optional_group_need_nothing():
    class Mail(Settings):
        host: str
        password: SecretStr

    class Outer(Settings):
        mail: Mail | None = None

    assert load(Outer).value.mail is None
    with pytest.raises(SettingsError) as caught:
        load(Outer, sources=[Environment({"APP_MAIL__HOST": "h"}, prefix="APP_")])
    assert str(caught.value.problems[0]) == "mail.password: is required; set APP_MAIL__PASSWORD"


def test_paths_are_paths(tmp_path):
    class Outer(Settings):
        data: Path

    assert load(Outer, sources=[Environment({"APP_DATA": str(tmp_path)}, prefix="APP_")]).value.data == tmp_path
