"""`check`, `config`, `migrate` and `calls`."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from app_support import Commands, environment

SECRET = "a-secret-that-nobody-is-to-see-0123456789"


def findings(text: str) -> dict[str, tuple[str, str]]:
    return {each["what"]: (each["state"], each["detail"]) for each in json.loads(text)}


def test_help_and_version_come_at_once(command: Commands, tmp_path: Path) -> None:
    told = command("--help", folder=tmp_path)
    assert told.returncode == 0
    for name in ("serve", "demo", "talk", "migrate", "check", "config", "calls"):
        assert name in told.stdout
    assert command("--version", folder=tmp_path).stdout == "0.1.0\n"
    assert not list(tmp_path.iterdir())


def test_help_imports_none_of_what_serving_needs() -> None:
    code = """
import sys
sys.argv = ["orchestrator", "--help"]
try:
    import orchestrator_app.cli
    orchestrator_app.cli.main()
except SystemExit:
    pass
print([name for name in ("fastapi", "sqlalchemy", "uvicorn", "rich", "pydantic") if name in sys.modules])
"""

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True)

    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "arguments", [["srve"], ["serve", "--prot", "1"], ["serve", "--port", "many"], ["calls", "show"]]
)
def test_a_command_that_is_none_is_refused(command: Commands, tmp_path: Path, arguments: list[str]) -> None:
    done = command(*arguments, folder=tmp_path)

    assert done.returncode == 2
    assert "Error" in done.stderr
    assert "Traceback" not in done.stderr


# --- config -------------------------------------------------------------------------------------------------------------------


def test_config_shows_every_setting_and_where_it_comes_from(command: Commands, tmp_path: Path) -> None:
    (tmp_path / "orchestrator.toml").write_text(
        f'region = "eu-west-1"\n[server]\nport = 9000\n[security]\naccess_token = "{SECRET}"\n'
    )

    done = command(
        "config", "--json", folder=tmp_path, ORCHESTRATOR_SERVER__PORT="9001", ORCHESTRATOR_DATABASE__URL="postgresql://u:pw-secret@h/db"
    )  # fmt: skip

    shown = json.loads(done.stdout)["settings"]
    assert shown["server.port"] == {"value": "9001", "origin": "ORCHESTRATOR_SERVER__PORT"}
    assert shown["region"]["value"] == '"eu-west-1"'
    assert "orchestrator.toml" in shown["region"]["origin"]
    assert shown["environment"] == {"value": '"development"', "origin": "default"}
    assert json.loads(done.stdout)["digest"].startswith("sha256:")
    for text in (done.stdout, command("config", folder=tmp_path).stdout):
        assert SECRET not in text
        assert "pw-secret" not in text
    assert not (tmp_path / "var").exists()


def test_a_settings_file_that_is_named_must_be_there(command: Commands, tmp_path: Path) -> None:
    for done in (
        command("config", "--config", "other.toml", folder=tmp_path),
        command("config", folder=tmp_path, ORCHESTRATOR_CONFIG="other.toml"),
    ):
        assert done.returncode == 2
        assert "other.toml" in done.stderr
        assert "Traceback" not in done.stderr


def test_an_option_counts_above_the_environment_and_that_above_the_file(command: Commands, tmp_path: Path) -> None:
    (tmp_path / "orchestrator.toml").write_text('data_dir = "from-file"\n')
    (tmp_path / "other.toml").write_text('data_dir = "from-other"\n')

    def data_dir(*arguments: str, **variables: str) -> str:
        done = command("config", "--json", *arguments, folder=tmp_path, **variables)
        return str(json.loads(json.loads(done.stdout)["settings"]["data_dir"]["value"]))

    assert data_dir() == "from-file"
    assert data_dir("--config", "other.toml") == "from-other"
    assert data_dir(ORCHESTRATOR_CONFIG="other.toml") == "from-other"
    assert data_dir(ORCHESTRATOR_DATA_DIR="from-env") == "from-env"
    assert data_dir("--data", "from-option", ORCHESTRATOR_DATA_DIR="from-env") == "from-option"


def test_what_kubernetes_sets_is_no_setting(command: Commands, tmp_path: Path) -> None:
    done = command(
        "config",
        folder=tmp_path,
        ORCHESTRATOR_PORT="tcp://10.0.0.1:80",
        ORCHESTRATOR_SERVICE_HOST="10.0.0.1",
        ORCHESTRATOR_SERVICE_PORT="80",
        ORCHESTRATOR_PORT_80_TCP_ADDR="10.0.0.1",
    )

    assert (done.returncode, done.stderr) == (0, "")


# --- check --------------------------------------------------------------------------------------------------------------------


def test_check_tells_of_transfers_for_which_there_is_nobody_to_dial(command: Commands, tmp_path: Path) -> None:
    account = {"ORCHESTRATOR_TWILIO__ACCOUNT_SID": "AC" + "1" * 32, "ORCHESTRATOR_TWILIO__AUTH_TOKEN": "token"}
    found = {
        each["what"]: each["detail"]
        for each in json.loads(command("check", "--json", folder=tmp_path, **account).stdout)
    }
    assert found["Twilio"] == "1 account"
    assert "transfers.operator" in found["transfers of default"]
    (tmp_path / "orchestrator.toml").write_text('[tenants.default.transfers]\noperator = "+4930901820"\n')
    told = command("check", "--json", folder=tmp_path, **account).stdout
    assert "transfers of" not in told


def test_check_finds_embedded_defaults_good(command: Commands, tmp_path: Path) -> None:
    done = command("check", "--json", folder=tmp_path)

    found = findings(done.stdout)
    assert done.returncode == 0
    assert {state for state, _ in found.values()} == {"ok", "off"}
    assert found["settings"] == ("ok", "development in eu-central-1")
    assert found["data folder"] == ("ok", str(tmp_path / "var"))
    assert found["voice embedded"] == ("ok", "speaks")
    assert found["LiveKit"][0] == "off"
    assert (tmp_path / "var" / "access.token").read_text().strip() not in done.stdout


def test_check_tells_everything_that_does_not_work(command: Commands, tmp_path: Path) -> None:
    (tmp_path / "house.toml").write_text("[script]\nlanguages = []\n")
    (tmp_path / "orchestrator.toml").write_text('[tenants.default]\nscript = "house.toml"\n')

    done = command(
        "check",
        "--json",
        folder=tmp_path,
        ORCHESTRATOR_DATABASE__URL="postgresql://joe:very-secret@127.0.0.1:1/calls",
        ORCHESTRATOR_SPEECH__BACKENDS='["router", "openai"]',
        ORCHESTRATOR_SPEECH__ROUTER_URL="http://127.0.0.1:1",
        ORCHESTRATOR_SPEECH__OPENAI_URL="http://127.0.0.1:2",
        ORCHESTRATOR_SPEECH__OPENAI_KEY="sk-very-secret",
    )

    found = findings(done.stdout)
    assert done.returncode == 1
    assert {what for what, (state, _) in found.items() if state == "failed"} == {
        "database",
        "dialogue",
        "voice router",
        "voice openai",
    }
    assert "127.0.0.1:1 cannot be reached" in found["voice router"][1]
    assert "house.toml" in found["dialogue"][1]
    assert "very-secret" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_check_in_words_is_a_table(command: Commands, tmp_path: Path) -> None:
    done = command("check", folder=tmp_path, ORCHESTRATOR_SPEECH__BACKENDS="[]")

    assert done.returncode == 0
    assert "data folder" in done.stdout
    assert "│" not in done.stdout


@pytest.mark.server
def test_check_says_when_a_servers_tables_are_missing(
    command: Commands, tmp_path: Path, postgres_database: str
) -> None:
    where = {"ORCHESTRATOR_DATABASE__URL": postgres_database, "ORCHESTRATOR_DATABASE__KEYS_URL": postgres_database}
    fast = {"ORCHESTRATOR_SPEECH__BACKENDS": "[]"}

    before = command("check", "--json", folder=tmp_path, **where, **fast)
    migrated = command("migrate", "--json", folder=tmp_path, **where)
    after = command("check", "--json", folder=tmp_path, **where, **fast)

    assert before.returncode == 1
    assert findings(before.stdout)["tables of calls"] == ("failed", "not up to date; run `orchestrator migrate`")
    assert {each["from"] for each in json.loads(migrated.stdout)} == {None}
    assert after.returncode == 0


# --- migrate and calls --------------------------------------------------------------------------------------------------------


def test_migrate_makes_all_tables_once(command: Commands, tmp_path: Path) -> None:
    first = json.loads(command("migrate", "--json", folder=tmp_path).stdout)
    second = json.loads(command("migrate", "--json", folder=tmp_path).stdout)

    announced = sorted(each.name for each in entry_points(group="orchestrator.migrations"))
    assert {"calls", "secrets", "security"} <= set(announced)
    assert [(each["package"], each["from"]) for each in first] == [(name, None) for name in announced]
    assert [each["from"] for each in second] == [each["to"] for each in first]
    assert "upgraded" not in command("migrate", folder=tmp_path).stdout


def test_tables_of_a_newer_version_are_left_alone(command: Commands, data: Path) -> None:
    path = data / "calls.db"
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE calls_alembic_version SET version_num = '9999'")
    connection.close()

    for arguments in (["migrate"], ["calls", "list"]):
        done = command(*arguments, "--data", str(data), folder=data)
        assert done.returncode == 1
        assert "written by a newer version (9999); install that version" in done.stderr


def test_there_are_no_calls_at_first(command: Commands, tmp_path: Path) -> None:
    done = command("calls", "list", folder=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == "Calls: no calls yet; `orchestrator serve` takes them"
    assert json.loads(command("calls", "list", "--json", folder=tmp_path).stdout) == []


def test_a_call_that_is_not_there(command: Commands, data: Path) -> None:
    done = command("calls", "show", "call-7", "--data", str(data), folder=data)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "orchestrator: there is no call call-7; `orchestrator calls list` shows what there is\n"


def test_a_folder_whose_name_means_something_in_a_url(command: Commands, tmp_path: Path) -> None:
    folder = tmp_path / "50% of what? #1 & more"

    done = command("migrate", "--data", str(folder), folder=tmp_path)

    assert done.returncode == 0, done.stderr
    assert {path.name for path in folder.glob("*.db")} == {"calls.db", "keys.db"}
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]
