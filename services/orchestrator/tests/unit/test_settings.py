"""The settings: defaults, sources, old names, and what is refused."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from app_support import settings

from orchestrator_app.settings import OLD_NAMES, PREFIX, REGIONS, AppSettings, Region, default_file
from orchestrator_config import Environment, Loaded, SettingsError, TomlFile, load

SECRET = "kept-to-itself-0123456789-abcdefghij"


def loaded(environment: Mapping[str, str], toml: Path | None = None) -> Loaded[AppSettings]:
    sources = [*([TomlFile(toml)] if toml else []), Environment(environment, prefix=PREFIX)]
    return load(AppSettings, sources=sources, aliases=OLD_NAMES)


def refused(**variables: str) -> str:
    with pytest.raises(SettingsError) as caught:
        loaded({PREFIX + name: value for name, value in variables.items()})
    return str(caught.value)


# --- defaults -----------------------------------------------------------------------------------------------------------------


def test_the_embedded_defaults() -> None:
    defaults = AppSettings()

    assert (defaults.environment, defaults.region, defaults.data_dir) == ("development", "eu-central-1", Path("var"))
    assert (defaults.server.host, defaults.server.port, defaults.server.max_body) == ("127.0.0.1", 8080, 1024 * 1024)
    assert (defaults.database.url, defaults.database.keys_url) == (None, None)
    assert (defaults.security.access_token, defaults.security.root_key) == (None, None)
    assert (dict(defaults.agents.secrets), defaults.agents.bearer_key, defaults.livekit.configured) == ({}, None, False)
    assert defaults.speech.backends == ("embedded",)
    assert [*defaults.tenants] == ["default"]
    assert defaults.tenants["default"].languages == ("en-US",)


def test_tenants_of_ones_own_take_the_place_of_the_default() -> None:
    own = loaded({"ORCHESTRATOR_TENANTS__HARBOUR__NAME": "The Harbour House"}).value

    assert {name: tenant.name for name, tenant in own.tenants.items()} == {"harbour": "The Harbour House"}


def test_the_regions_are_the_ones_that_a_setting_may_name() -> None:
    from typing import get_args

    assert get_args(Region) == REGIONS


def test_the_settings_file_is_the_one_here_or_the_one_that_is_named() -> None:
    assert default_file({}) == (Path("orchestrator.toml"), False)
    assert default_file({"ORCHESTRATOR_CONFIG": "/etc/o.toml"}) == (Path("/etc/o.toml"), True)


def test_the_known_hosts_are_those_it_listens_on_and_is_told() -> None:
    server = settings(Path(), server={"host": "::1", "public_url": "https://Calls.example:8443/base"}).server

    assert server.known_hosts == {"localhost", "127.0.0.1", "[::1]", "calls.example"}
    assert "10.0.0.5" in settings(Path(), server={"host": "10.0.0.5"}).server.known_hosts


def test_a_number_leads_to_its_tenant() -> None:
    own = settings(Path())

    assert own.tenant_of_number("+4930901821") == "harbour"
    assert own.tenant_of_number("+4989123456") == "garden"
    assert own.tenant_of_number("+1") is None
    assert own.tenant_of_number("") is None


# --- from the environment and the file ----------------------------------------------------------------------------------------


def test_the_readme_example_is_good(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text()
    example = text.partition("```toml\n")[2].partition("```")[0].replace("/run/secrets/agent", str(tmp_path / "agent"))
    (tmp_path / "agent").write_text(SECRET + "\n")
    (tmp_path / "agent").chmod(0o600)
    (tmp_path / "o.toml").write_text(example)

    own = loaded({"LIVEKIT_SECRET": SECRET}, tmp_path / "o.toml").value

    assert own.livekit.api_secret is not None
    assert own.livekit.api_secret.get_secret_value() == SECRET
    assert own.agents.secrets["2026-11"].get_secret_value() == SECRET
    assert own.tenants["harbour"].languages == ("en-US", "de-DE")


def test_an_agents_secret_can_be_set_by_its_id() -> None:
    own = loaded({"ORCHESTRATOR_AGENTS__SECRETS__CALLER": SECRET}).value

    assert {name: secret.get_secret_value() for name, secret in own.agents.secrets.items()} == {"caller": SECRET}


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("postgresql://u:p@h:1/d", "postgresql+asyncpg://u:p@h:1/d"),
        ("postgres://u:p@h/d?sslmode=require", "postgresql+asyncpg://u:p@h/d?ssl=require"),
        (
            "postgresql://h/d?application_name=o&sslmode=disable",
            "postgresql+asyncpg://h/d?application_name=o&ssl=disable",
        ),
        ("postgresql+asyncpg://h/d", "postgresql+asyncpg://h/d"),
        ("sqlite:///calls.db", "sqlite+aiosqlite:///calls.db"),
        ("sqlite+aiosqlite:////abs/calls.db", "sqlite+aiosqlite:////abs/calls.db"),
    ],
)
def test_database_urls_name_their_async_driver(given: str, meant: str) -> None:
    own = loaded({"ORCHESTRATOR_DATABASE__URL": given, "ORCHESTRATOR_DATABASE__KEYS_URL": given}).value

    assert own.database.url is not None
    assert own.database.keys_url is not None
    assert own.database.url.get_secret_value() == own.database.keys_url.get_secret_value() == meant


@pytest.mark.parametrize("url", ["mysql://h/d", "postgresql+psycopg2://h/d", "postgresql:h/d", "calls.db", "", "://"])
def test_other_databases_are_refused_without_showing_the_url(url: str) -> None:
    text = refused(DATABASE__URL=url.replace("h/d", f"u:{SECRET}@h/d"))

    assert "must be a URL of postgresql:// or sqlite:///" in text
    assert SECRET not in text


# --- old names ----------------------------------------------------------------------------------------------------------------

OLD_VALUES: dict[str, tuple[str, Any]] = {
    "environment": ("staging", "staging"),
    "region": ("eu-west-1", "eu-west-1"),
    "server.host": ("0.0.0.0", "0.0.0.0"),
    "server.port": ("9001", 9001),
    "database.url": ("sqlite:///old.db", "sqlite+aiosqlite:///old.db"),
    "livekit.api_key": ("APIold", "APIold"),
    "livekit.api_secret": (SECRET, SECRET),
    "agents.bearer_key": (SECRET, SECRET),
    "agents.secrets.earlier": (SECRET, SECRET),
    "hotel_events.secrets.earlier": (SECRET, SECRET),
    "server.cors_origins": ("https://console.example", ("https://console.example",)),
    "server.max_json_string": ("5000", 5000),
    "server.max_json_array": ("500", 500),
    "server.max_json_depth": ("5", 5),
    "performance.cache_url": ("redis://:pw@cache:6379/1", "redis://:pw@cache:6379/1"),
    "performance.cache_connections": ("15", 15),
    "performance.warm_connections": ("5", 5),
    "performance.database_connections": ("20", 20),
    "performance.http_connections": ("50", 50),
    "performance.memory_mb": ("512", 512),
    "performance.cpu_percent": ("80", 80.0),
    "performance.interval": ("30", 30.0),
    "performance.alerting": ("false", False),
    "performance.cache_items": ("1000", 1000),
    "performance.cache_bytes": ("52428800", 52_428_800),
    "performance.cache_seconds": ("300", 300.0),
    "audio.buffer_mb": ("10", 10),
    "hearing.openai_url": ("http://asr:8000", "http://asr:8000/"),
    "hearing.timeout": ("4", 4.0),
    "speech.router_url": ("http://tts:8000", "http://tts:8000/"),
    "log.level": ("DEBUG", "DEBUG"),
    "auth.algorithm": ("RS256", "RS256"),
    "auth.access_minutes": ("5", 5.0),
    "auth.refresh_days": ("1", 1.0),
    "auth.free_attempts": ("3", 3),
    "auth.longest_wait_minutes": ("30", 30.0),
    "auth.browser_idle_minutes": ("60", 60.0),
    "vault.url": ("https://vault.example:8200", "https://vault.example:8200/"),
    "vault.token": (SECRET, SECRET),
    "vault.role_id": ("calls", "calls"),
    "vault.secret_id": (SECRET, SECRET),
    "vault.namespace": ("desk", "desk"),
    "vault.api_keys_path": ("calls/keys", "calls/keys"),
    "vault.kubernetes_role": ("calls", "calls"),
    "monitoring.alerting": ("false", False),
    "monitoring.evaluate_seconds": ("45", 45.0),
    "monitoring.prometheus_url": ("http://prometheus:9090", "http://prometheus:9090/"),
    "monitoring.slack_url": ("https://hooks.slack.com/x", "https://hooks.slack.com/x"),
    "monitoring.slack_channel": ("#alerts", "#alerts"),
    "monitoring.pagerduty_key": (SECRET, SECRET),
    "monitoring.webhook_url": ("https://example.org/hook", "https://example.org/hook"),
    "monitoring.email.host": ("mail.example.org", "mail.example.org"),
    "monitoring.email.port": ("2525", 2525),
    "monitoring.email.user": ("ops", "ops"),
    "monitoring.email.password": (SECRET, SECRET),
    "monitoring.email.sender": ("a@example.org", "a@example.org"),
    "monitoring.email.security": ("true", "starttls"),
    "monitoring.email.recipients": ('["b@example.org"]', ("b@example.org",)),
    "monitoring.thresholds.call_success": ("98", 98.0),
    "monitoring.thresholds.action_seconds": ("2", 2.0),
    "monitoring.thresholds.satisfaction": ("4", 4),
    "monitoring.thresholds.cpu": ("80", 80.0),
    "monitoring.thresholds.memory": ("80", 80.0),
    "monitoring.thresholds.error_rate": ("5", 5.0),
    "tracing.enabled": ("false", False),
    "tracing.endpoint": ("http://collector:4318", "http://collector:4318/"),
    "tracing.ratio": ("0.01", 0.01),
    "tracing.service": ("front", "front"),
    "metrics.enabled": ("false", False),
    "metrics.port": ("8000", 8000),
    "metrics.path": ("/monitoring/metrics", "/monitoring/metrics"),
}


@pytest.mark.parametrize("old", OLD_NAMES)
def test_every_old_name_loads_with_a_warning(old: str) -> None:
    path = OLD_NAMES[old]
    text, meant = OLD_VALUES[path]
    # An API key and its secret belong together.
    pairs = {
        "livekit.": {"LIVEKIT_API_KEY": "APIold", "LIVEKIT_API_SECRET": SECRET},
        "vault.role_id": {"VAULT_SECRET_ID": SECRET},
        "vault.secret_id": {"VAULT_ROLE_ID": "calls"},
        "vault.url": {"VAULT_TOKEN": SECRET},
    }
    pair = next((each for prefix, each in pairs.items() if path.startswith(prefix)), {})

    own = loaded({**pair, old: text})

    value: Any = own.value
    for name in path.split("."):
        value = value[name] if isinstance(value, Mapping) else getattr(value, name)
    assert (
        value.get_secret_value()
        if hasattr(value, "get_secret_value")
        else str(value)
        if path.endswith(("url", "endpoint"))
        else value
    ) == meant
    present = PREFIX + path.upper().replace(".", "__")
    assert any(str(warning) == f"{old}: is an old name; set {present} instead" for warning in own.warnings)
    assert SECRET not in "".join(map(str, own.warnings))


def test_the_present_name_counts_above_the_old_one() -> None:
    assert loaded({"PORT": "1", "ORCHESTRATOR_SERVER__PORT": "2"}).value.server.port == 2
    assert loaded({"ORCHESTRATOR_SERVER__PORT": "2", "PORT": "1"}).value.server.port == 2


# --- what is refused ----------------------------------------------------------------------------------------------------------


def test_an_unknown_variable_is_refused_with_the_nearest_name() -> None:
    assert "did you mean ORCHESTRATOR_SERVER__PORT?" in refused(SERVER__PROT="1")
    assert "did you mean ORCHESTRATOR_REGION?" in refused(REGIN="eu-west-1")
    assert "did you mean ORCHESTRATOR_SPEECH__BACKENDS?" in refused(SPEECH__BACKEND="[]")


def test_everything_that_is_wrong_is_told_at_once() -> None:
    text = refused(REGION="us-east-1", SERVER__PORT="65536", SERVER__MAX_BODY="many", LOG__LEVEL="LOUD", NONSENSE="1")

    for name in ("REGION", "SERVER__PORT", "SERVER__MAX_BODY", "LOG__LEVEL", "NONSENSE"):
        assert PREFIX + name in text
    assert text.startswith("5 settings are wrong")


def test_production_makes_no_secrets_of_its_own_and_names_all_that_are_missing() -> None:
    text = refused(ENVIRONMENT="production")
    assert "set security.access_token, security.root_key, agents.secrets" in text

    text = refused(ENVIRONMENT="production", SECURITY__ROOT_KEY=SECRET)
    assert "set security.access_token, agents.secrets" in text

    own = loaded(
        {
            "ORCHESTRATOR_ENVIRONMENT": "production",
            "ORCHESTRATOR_SECURITY__ROOT_KEY": SECRET,
            "ORCHESTRATOR_SECURITY__ACCESS_TOKEN": SECRET,
            "ORCHESTRATOR_AGENTS__BEARER_KEY": SECRET,
        }
    )
    assert own.value.environment == "production"


@pytest.mark.parametrize("environment", ["development", "staging"])
def test_elsewhere_secrets_are_made_when_they_are_missing(environment: str) -> None:
    assert loaded({"ORCHESTRATOR_ENVIRONMENT": environment}).value.environment == environment


def test_two_tenants_cannot_have_a_number_in_common() -> None:
    text = refused(TENANTS__A__NUMBERS='["+491", "+492"]', TENANTS__B__NUMBERS='["+492"]')

    assert "tenants a and b have a number in common" in text


def test_livekits_tenant_is_one_of_the_tenants_where_livekit_is_configured() -> None:
    keys = {"LIVEKIT__API_KEY": "APIx", "LIVEKIT__API_SECRET": SECRET}

    assert "livekit.tenant default is no tenant; there is harbour" in refused(TENANTS__HARBOUR__NAME="H", **keys)
    assert loaded({"ORCHESTRATOR_TENANTS__HARBOUR__NAME": "H"}).value.tenants


@pytest.mark.parametrize("half", ["API_KEY", "API_SECRET"])
def test_a_livekit_key_and_its_secret_belong_together(half: str) -> None:
    assert "api_key and api_secret belong together" in refused(**{f"LIVEKIT__{half}": SECRET})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECURITY__ACCESS_TOKEN", "short"),
        ("SECURITY__ROOT_KEY", "not-as-long-as-32-bytes"),
        ("SECURITY__SESSION_SECONDS", "0"),
        ("SERVER__DRAIN_SECONDS", "-1"),
        ("SERVER__DRAIN_SECONDS", "nan"),
        ("CALLS__MAX_WAITING", "3"),
        ("TENANTS__A__NUMBERS", '["030123"]'),
        ("TENANTS__A__LANGUAGES", "[]"),
        ("TENANTS__A__LANGUAGES", '["English"]'),
        ("TENANTS__A__TIME_ZONE", "Berlin"),
        ("SPEECH__BACKENDS", '["parrot"]'),
        ("SPEECH__BACKENDS", '["openai"]'),
        ("SPEECH__BACKENDS", '["router"]'),
    ],
)
def test_values_out_of_range_are_refused_by_name(name: str, value: str) -> None:
    text = refused(**{name: value})

    assert name.lower().replace("__", ".").split(".")[0] in text
    if name.startswith("SECURITY__ACC"):
        assert "short" not in text


# --- secrets ------------------------------------------------------------------------------------------------------------------


def test_a_secret_is_shown_nowhere() -> None:
    own = loaded(
        {
            "ORCHESTRATOR_SECURITY__ACCESS_TOKEN": SECRET,
            "ORCHESTRATOR_SECURITY__ROOT_KEY": SECRET,
            "ORCHESTRATOR_AGENTS__SECRETS__FIRST": SECRET,
            "ORCHESTRATOR_AGENTS__BEARER_KEY": SECRET,
            "ORCHESTRATOR_LIVEKIT__API_KEY": "APIx",
            "ORCHESTRATOR_LIVEKIT__API_SECRET": SECRET,
            "ORCHESTRATOR_LIVEKIT__MORE_KEYS__APIY": SECRET,
            "ORCHESTRATOR_SPEECH__OPENAI_KEY": SECRET,
            "ORCHESTRATOR_DATABASE__URL": f"postgresql://u:{SECRET}@h/d",
        }
    )
    shown = [str(own.value), repr(own.value), repr(own), own.value.model_dump_json(), repr(own.value.model_dump())]
    shown += [f"{row.path} {row.shown} {row.origin}" for row in own.explain()]

    assert not [text for text in shown if SECRET in text]


def test_a_wrong_secret_is_in_no_traceback() -> None:
    with pytest.raises(SettingsError) as caught:
        loaded({"ORCHESTRATOR_DATABASE__URL": f"mysql://u:{SECRET}@h/d", "ORCHESTRATOR_SERVER__PORT": "x"})

    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert SECRET.encode() not in pickle.dumps(caught.value)


def test_settings_cannot_be_changed() -> None:
    own = settings(Path())

    with pytest.raises(Exception, match="immutable"):
        own.server.port = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        own.tenants["new"] = own.tenants["harbour"]  # type: ignore[index]
