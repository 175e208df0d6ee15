"""Secret references, and that no secret shows anywhere, whatever goes wrong."""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator, Field, HttpUrl, Secret, SecretBytes, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError

import orchestrator_config
from orchestrator_config import (
    Environment,
    Loaded,
    Settings,
    SettingsError,
    TomlFile,
    Values,
    load,
    load_async,
    redacted,
)
from orchestrator_kernel import ExternalServiceError
from orchestrator_kernel.ports import SecretNotFound

MARK = "Zq7X"
# The mark survives every way of quoting, so that a piece of the secret is found as well as all of it.
secrets = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12).map(
    lambda text: f"{MARK}{text}{MARK}"
)


class Token(Settings):
    kind: Literal["token"] = "token"
    token: SecretStr | None = None


class Pair(Settings):
    kind: Literal["pair"] = "pair"
    user: str = "u"
    password: SecretStr = SecretStr("")


class Vault(Settings):
    password: SecretStr = Field(default=SecretStr("default-password"), min_length=8)
    raw: SecretBytes = SecretBytes(b"")
    number: Secret[int] = Secret(0)
    link: Secret[HttpUrl] | None = None
    several: tuple[SecretStr, ...] = ()
    by_name: Mapping[str, SecretStr] = {}
    access: Token | Pair = Field(default=Token(), discriminator="kind")
    either: Token | Pair = Token()
    size: int = 1


class App(Settings):
    vault: Vault = Vault()
    name: str = "x"
    limit: int = Field(default=1, ge=0)


# Each way of putting a secret into a source: as the value of a place for secrets, right or wrong for that place.
def places(secret: str) -> list[dict[str, Any]]:
    return [
        {"password": secret},
        {"password": secret[:7]},
        {"password": [secret]},
        {"password": {secret: 1}},
        {"raw": secret},
        {"number": secret},
        {"link": secret},
        {"link": f"https://{secret}:99999999"},
        {"several": [secret, secret]},
        {"several": secret},
        {"several": [1, secret]},
        {"by_name": {"a": secret}},
        {"by_name": {"a": {"b": secret}}},
        {"access": {"kind": "token", "token": secret}},
        {"access": {"kind": secret, "token": secret}},
        {"access": {"kind": "pair", "token": secret}},
        {"either": {"password": secret}},
        {"either": {"password": secret, "user": 5}},
        {"access": {"kind": secret}},
        {"size": secret},
        {"unknown": secret},
        {"passwrd": {"a": [secret]}},
    ]


def renderings(error: BaseException) -> Iterator[str]:
    yield str(error)
    yield repr(error)
    yield "".join(traceback.format_exception(error))
    yield from _own_frames(error)
    if isinstance(error, (SettingsError, pydantic.ValidationError)):
        yield repr(error.errors())
        yield error.json()
    if isinstance(error, SettingsError):
        yield repr(pickle.dumps(error))
        yield repr(error.details)
        yield repr(error.problems)
    yield repr(error.args)
    yield repr(vars(error) if hasattr(error, "__dict__") else "")
    assert error.__cause__ is None
    assert error.__context__ is None


def _own_frames(error: BaseException) -> Iterator[str]:
    """The local variables of the package's own frames, which error trackers record."""
    home = str(Path(orchestrator_config.__file__).parent)
    for frame in traceback.TracebackException.from_exception(error, capture_locals=True).stack:
        if frame.filename.startswith(home):
            yield repr(frame.locals)


def caught(model: type[Settings], *sources: Any) -> SettingsError | Loaded[Any]:
    try:
        return load(model, sources=sources)
    except SettingsError as error:
        return error


def shown(outcome: SettingsError | Loaded[Any]) -> Iterator[str]:
    if isinstance(outcome, SettingsError):
        yield from renderings(outcome)
        return
    value = outcome.value
    yield from (str(outcome), repr(outcome), str(value), repr(value), format(value))
    yield from (repr(value.model_dump()), value.model_dump_json(), repr(value.model_dump(mode="json")))
    yield from (repr(outcome.explain()), repr(redacted(value)), repr(outcome.warnings), outcome.digest)
    yield from (repr(copy.copy(value)), repr(copy.deepcopy(value)), repr(value.model_copy(update={})))
    yield from (repr(list(value)), repr(list(value.__repr_args__())), repr(list(value.__rich_repr__())))
    for thing in (value, outcome):
        with pytest.raises(TypeError, match="not pickled") as refused:
            pickle.dumps(thing)
        yield from renderings(refused.value)


def assert_hidden(texts: Iterator[str], *marks: str) -> None:
    for text in texts:
        for mark in (MARK, *marks):
            assert mark.casefold() not in text.casefold()


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(key)} = {toml(each)}" for key, each in value.items()) + "}"
    return (
        "[" + ", ".join(map(toml, value)) + "]"
        if isinstance(value, list)
        else json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    )


@given(secret=secrets, index=st.integers(0, len(places("")) - 1), sibling=st.booleans(), data=st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_secret_shows_wherever_it_stands(tmp_path, secret, index, sibling, data):
    check_hidden(tmp_path, secret, index, data, sibling=sibling)


@pytest.mark.soak
@given(secret=secrets, index=st.integers(0, len(places("")) - 1), sibling=st.booleans(), data=st.data())
@settings(max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_secret_shows_wherever_it_stands_for_long(tmp_path, secret, index, sibling, data):
    check_hidden(tmp_path, secret, index, data, sibling=sibling)


def check_hidden(tmp_path: Path, secret: str, index: int, data: Any, *, sibling: bool) -> None:
    tree = {"vault": places(secret)[index], **({"limit": -1, "nmae": secret} if sibling else {})}
    kind = data.draw(st.sampled_from(["values", "file", "json", "variables"]))
    if kind == "values":
        source: Any = Values(tree)
    elif kind == "file":
        (tmp_path / "app.toml").write_text("\n".join(f"{key} = {toml(value)}" for key, value in tree.items()), "utf-8")
        source = TomlFile(tmp_path / "app.toml")
    elif kind == "json":
        named = {
            f"APP_{key.upper()}": value if isinstance(value, str) else json.dumps(value) for key, value in tree.items()
        }
        source = Environment(named, prefix="APP_")
    else:
        named = {
            f"APP_VAULT__{key.upper()}": value if isinstance(value, str) else json.dumps(value)
            for key, value in places(secret)[index].items()
        }
        source = Environment(named, prefix="APP_")
    outcome = caught(App, source)
    if sibling and kind != "variables":
        assert isinstance(outcome, SettingsError)
        assert {"limit", "nmae"} <= {each.path for each in outcome.problems}
    assert_hidden(shown(outcome))


@given(secret=secrets, index=st.integers(0, len(places("")) - 1))
@settings(max_examples=80)
def test_nor_when_the_model_is_made_without_the_loader(secret, index):
    tree = places(secret)[index]
    for make in (
        lambda: App.model_validate({"vault": tree}),
        lambda: App.model_validate_json(json.dumps({"vault": tree})),
        lambda: Vault(**tree),
        lambda: App(vault=tree),
        lambda: App().model_copy(update={"vault": tree}),
    ):
        error = failure_of(make)
        if error is not None:
            texts = [str(error), repr(error), repr(error.errors()), error.json(), *traceback.format_exception(error)]
            assert_hidden(iter(texts))
            assert error.__cause__ is None
            assert error.__context__ is None


def failure_of(make: Callable[[], object]) -> Any:
    try:
        make()
    except pydantic.ValidationError as error:
        return error
    return None


def shout(way: str, secret: str) -> Exception:
    told = {
        "plain": secret,
        "repr": repr(secret),
        "json": json.dumps(secret),
        "upper": secret.upper(),
        "bytes": repr(secret.encode()),
    }[way]
    return ValueError(f"the password {told} is bad")


@pytest.mark.parametrize("way", ["plain", "repr", "json", "upper", "bytes"])
@given(secret=secrets)
@settings(max_examples=20)
def test_nor_when_a_validator_of_the_model_repeats_it(way, secret):
    def refuse(value: SecretStr) -> SecretStr:
        raise shout(way, value.get_secret_value())

    class Inner(Settings):
        password: Annotated[SecretStr, AfterValidator(refuse)]

    class Outer(Settings):
        inner: Inner

    outcome = caught(Outer, Values({"inner": {"password": secret}}))
    assert isinstance(outcome, SettingsError)
    assert [each.path for each in outcome.problems] == ["inner.password"]
    assert_hidden(renderings(outcome))


def test_a_long_piece_of_a_secret_is_too_much():
    def refuse(value: SecretStr) -> SecretStr:
        raise ValueError(f"begins with {value.get_secret_value()[:14]}")

    class Outer(Settings):
        password: Annotated[SecretStr, AfterValidator(refuse)]

    outcome = caught(Outer, Values({"password": "correct-horse-battery"}))
    assert "correct" not in str(outcome)


class Author(Settings):
    """The ways in which the author of a model may let a secret out."""

    how: str
    password: SecretStr

    @field_validator("password")
    @classmethod
    def field(cls, value: SecretStr, info: pydantic.ValidationInfo) -> SecretStr:
        text = value.get_secret_value()
        match info.data.get("how"):
            case "assertion":
                raise AssertionError(text)
            case "custom":
                raise PydanticCustomError("custom", "no {text}", {"text": text})
            case "chained":
                raise ValueError("no") from KeyError(text)
            case "crash":
                raise RuntimeError(text)
            case "type":
                return text + 1  # type: ignore[operator]
        return value

    @model_validator(mode="before")
    @classmethod
    def before(cls, data: Any) -> Any:
        if data["how"] == "before":
            raise ValueError(f"{data}")
        return data

    @model_validator(mode="after")
    def after(self) -> Author:
        if self.how == "after":
            raise ValueError(f"{self.password.get_secret_value()} in {self.model_dump()}")
        return self


@pytest.mark.parametrize("how", ["assertion", "custom", "chained", "crash", "type", "before", "after"])
@given(secret=secrets)
@settings(max_examples=12)
def test_nor_in_any_other_way_a_validator_can_fail(how, secret):
    class Outer(Settings):
        author: Author

    misspelt = {"how": "before", "pasword": secret, "password": "x"}
    assert_hidden(renderings(failure_of(lambda: Outer.model_validate({"author": misspelt}))))
    for model, tree in (
        (Author, {"how": how, "password": secret}),
        (Outer, {"author": {"how": how, "password": secret}}),
    ):
        outcome = caught(model, Values(tree))
        assert isinstance(outcome, SettingsError)
        assert_hidden(renderings(outcome))


def test_a_crash_of_a_validator_says_where_it_happened():
    outcome = caught(Author, Values({"how": "crash", "password": "hunter2hunter2"}))
    assert isinstance(outcome, SettingsError)
    assert "RuntimeError at " in str(outcome)
    assert "test_secrets.py:" in str(outcome)


def test_a_validator_that_repeats_no_secret_is_heard():
    class Inner(Settings):
        password: SecretStr
        tls: bool = False

        @model_validator(mode="after")
        def check(self) -> Inner:
            if not self.tls:
                raise ValueError("a password needs tls")
            return self

    class Outer(Settings):
        inner: Inner

    outcome = caught(Outer, Values({"inner": {"password": "hunter2"}}))
    assert isinstance(outcome, SettingsError)
    assert [(each.path, each.reason) for each in outcome.problems] == [("inner", "a password needs tls")]


@given(secret=secrets)
@settings(max_examples=25)
def test_nor_in_a_log(secret):
    lines: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(logging.Formatter("%(message)s").format(record))

    log = logging.getLogger("test_secrets")
    log.setLevel(logging.INFO)
    log.handlers = [Collect()]
    made = load(App, sources=[Values({"vault": {"password": secret, "by_name": {"a": secret}}})])
    log.info("loaded %s %r %s", made, made.value, redacted(made.value))
    try:
        load(App, sources=[Values({"vault": {"password": secret[:4]}})])
    except SettingsError:
        log.exception("refused")
    assert len(lines) == 2
    assert_hidden(iter(lines))


@given(secret=secrets)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nor_when_the_file_is_broken_around_it(tmp_path, secret):
    (tmp_path / "app.toml").write_text(f"name = 'x'\n[vault]\npassword = {secret}", "utf-8")
    assert_hidden(shown(caught(App, TomlFile(tmp_path / "app.toml"))))
    outcome = caught(App, Environment({"APP_VAULT": f'{{"password": {secret}'}, prefix="APP_"))
    assert_hidden(shown(outcome))


def test_the_length_of_a_secret_is_not_told():
    outcome = caught(App, Values({"vault": {"password": "hunter2"}}))
    assert str(outcome).endswith("vault.password: should have at least 8 characters (values)")


def test_a_default_secret_is_hidden_too():
    class Outer(Settings):
        password: SecretStr = SecretStr("hunter2-default")

        @model_validator(mode="after")
        def check(self) -> Outer:
            raise ValueError(f"not {self.password.get_secret_value()}")

    outcome = caught(Outer)
    assert_hidden(renderings(outcome), "hunter2")  # type: ignore[arg-type]


def test_the_password_of_a_url_is_hidden_where_settings_are_shown():
    class Outer(Settings):
        url: str
        link: HttpUrl
        several: tuple[str, ...]

    url = "postgresql://app:hunter2@db/calls"
    made = load(Outer, sources=[Values({"url": url, "link": "https://a:hunter2@b/", "several": [url]})])
    assert made.value.url == url
    for text in (repr(made), str(made.value), repr(made.explain()), repr(redacted(made.value))):
        assert "hunter2" not in text
        assert "app:**********@db/calls" in text


# References


class Keys(Settings):
    one: SecretStr = SecretStr("")
    many: tuple[SecretStr, ...] = ()
    data: SecretBytes = SecretBytes(b"")
    number: Secret[int] = Secret(0)
    plain: str = ""


def keys(variables: Mapping[str, str], **options: Any) -> Loaded[Keys]:
    return load(Keys, sources=[Environment(variables, prefix="APP_")], **options)


def test_a_secret_can_be_read_from_a_file(tmp_path):
    (tmp_path / "one").write_bytes(b" s3cret \r\n")
    made = keys(
        {"APP_ONE": f"file:{tmp_path}/one", "APP_DATA": f"file:{tmp_path}/one", "APP_MANY": f"file:{tmp_path}/one,b"}
    )
    assert made.value.one.get_secret_value() == " s3cret "
    assert made.value.data.get_secret_value() == b" s3cret "
    assert [each.get_secret_value() for each in made.value.many] == [" s3cret ", "b"]
    assert str(made.origin("one")) == f"APP_ONE -> file:{tmp_path}/one"


def test_a_secret_can_be_read_from_a_variable_even_one_under_the_prefix(tmp_path):
    (tmp_path / "app.toml").write_text('one = "env:APP_PASSWORD"\nnumber = "env:PIN"\n')
    variables = {"APP_PASSWORD": "s3cret", "PIN": "1234"}
    made = load(Keys, sources=[TomlFile(tmp_path / "app.toml"), Environment(variables, prefix="APP_")])
    assert made.value.one.get_secret_value() == "s3cret"
    assert made.value.number.get_secret_value() == 1234
    assert str(made.origin("one")) == f"{tmp_path / 'app.toml'}:1 -> env:APP_PASSWORD"


def test_a_reference_is_followed_once_and_only_where_a_secret_is_declared():
    made = keys({"APP_ONE": "env:NEXT", "NEXT": "env:APP_ONE", "APP_PLAIN": "env:NEXT"})
    assert made.value.one.get_secret_value() == "env:APP_ONE"
    assert made.value.plain == "env:NEXT"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_text_can_be_a_secret(secret):
    assert keys({"APP_ONE": f"literal:{secret}"}).value.one.get_secret_value() == secret


def test_a_reference_below_one_that_wins_is_not_followed(tmp_path):
    made = load(
        Keys,
        sources=[Values({"one": f"file:{tmp_path}/missing"}), Environment({"APP_ONE": "x"}, prefix="APP_")],
    )
    assert made.value.one.get_secret_value() == "x"


def test_references_that_lead_nowhere_are_all_told(tmp_path):
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "large").write_bytes(b"x" * 70_000)
    (tmp_path / "binary").write_bytes(b"\xff")
    references = {
        f"file:{tmp_path}/missing": "cannot be read: No such file or directory",
        f"file:{tmp_path}": "cannot be read: Is a directory",
        f"file:{tmp_path}/empty": "is empty",
        f"file:{tmp_path}/large": "is larger than 65536 bytes",
        f"file:{tmp_path}/binary": "is not encoded in UTF-8",
        "file:relative": "refers to no absolute path",
        "env:MISSING": "refers to env:MISSING, which is not set",
        "env:BROKEN": "which is not encoded in UTF-8",
        "env:not a name": "refers to no possible variable",
        "secret:": "refers to no possible name of a secret",
        "secret:db/password": "no secret store is given",
    }
    variables = {"APP_MANY": json.dumps([*references]), "BROKEN": b"\xff".decode(errors="surrogateescape")}
    with pytest.raises(SettingsError) as error:
        keys(variables)
    found = {problem.path: problem.reason for problem in error.value.problems}
    assert len(found) == len(references)
    for index, reason in enumerate(references.values()):
        assert reason in found[f"many[{index}]"]


def test_a_malformed_reference_is_not_shown(tmp_path):
    for secret in (f"env:{MARK} 1", f"file:{MARK}", f"secret:!{MARK}"):
        assert_hidden(shown(caught(Keys, Values({"one": secret}))))


class Store:
    """A secret store that holds one secret."""

    async def read(self, name: str) -> SecretStr:
        await asyncio.sleep(0)
        if name != "db/password":
            raise SecretNotFound(f"there is no secret {name}, but there is {MARK}")
        return SecretStr("s3cret")


async def test_a_secret_store_is_asked_for_its_secrets():
    source = Values({"one": "secret:db/password", "many": ["secret:db/password", "x"]})
    made = await load_async(Keys, sources=[source], secrets=Store())
    assert made.value.one.get_secret_value() == "s3cret"
    assert [each.get_secret_value() for each in made.value.many] == ["s3cret", "x"]
    assert str(made.origin("one")) == "values -> secret:db/password"
    same = load(Keys, sources=[source], secrets=lambda _name: SecretStr("s3cret"))
    assert same.value == made.value


async def test_what_a_secret_store_refuses_is_told_with_the_rest():
    def broken(name: str) -> SecretStr:
        raise ExternalServiceError(f"{name} {MARK}")

    source = Values({"one": "secret:other", "plain": 5})
    with pytest.raises(SettingsError) as error:
        await load_async(Keys, sources=[source], secrets=Store())
    assert [each.reason for each in error.value.problems] == [
        "refers to secret:other, which could not be read: SecretNotFound (secret_not_found)",
        "should be a valid string",
    ]
    assert_hidden(renderings(error.value))
    with pytest.raises(SettingsError, match=r"ExternalServiceError \(external_service_failed\)") as error:
        load(Keys, sources=[source], secrets=broken)
    assert_hidden(renderings(error.value))


async def test_waiting_for_a_secret_store_can_be_cancelled():
    class Slow:
        async def read(self, name: str) -> SecretStr:
            await asyncio.Event().wait()
            raise AssertionError(name)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await load_async(Keys, sources=[Values({"one": "secret:a"})], secrets=Slow())


def test_references_are_followed_where_a_validator_reads_first():
    class Inner(Settings):
        key: SecretStr

        @model_validator(mode="before")
        @classmethod
        def rename(cls, data: Any) -> Any:
            return {"key": data["old_key"]} if "old_key" in data else data

    class Outer(Settings):
        inner: Inner
        several: tuple[SecretStr, ...] = ()
        one: SecretStr = SecretStr("")

        @field_validator("several", "one", mode="before")
        @classmethod
        def keep(cls, value: Any) -> Any:
            return value

    variables = {"APP_A": "aaa", "APP_ONE": "env:APP_A"}
    tree = {"inner": {"key": "env:APP_A"}, "several": ["env:APP_A", "b"]}
    made = load(Outer, sources=[Values(tree), Environment(variables, prefix="APP_")])
    assert made.value.inner.key.get_secret_value() == "aaa"
    assert [each.get_secret_value() for each in made.value.several] == ["aaa", "b"]
    assert made.value.one.get_secret_value() == "aaa"
    assert load(Outer, sources=[Values({"inner": {"old_key": "k"}})]).value.inner.key.get_secret_value() == "k"
    with pytest.raises(SettingsError) as error:
        load(Outer, sources=[Values({"inner": {"kye": "k"}}, name="test")])
    assert [(each.path, each.nearest, each.source) for each in error.value.problems] == [
        ("inner.key", "", ""),
        ("inner.kye", "inner.key", "test"),
    ]
