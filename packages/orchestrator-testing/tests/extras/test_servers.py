"""The servers themselves, from the wheels."""

import subprocess
from pathlib import Path

import pytest

from orchestrator_kernel.exceptions import ValidationError
from orchestrator_testing.servers import ServerFailed, postgres

pytestmark = pytest.mark.server


def owner(pid):
    return Path(f"/proc/{pid}").stat().st_uid


def test_postgres_answers_its_own_client(postgres_url, postgres_server):
    done = subprocess.run(
        [postgres_server.tools / "psql", "-At", "-c", "SHOW server_version_num", postgres_url],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert int(done.stdout) >= 180000


def test_postgres_has_the_statistics_extension(postgres_server):
    with postgres_server.fresh_database("statistics") as url:
        assert url.endswith("/statistics")
        postgres_server.psql("CREATE EXTENSION pg_stat_statements", database="statistics")
        assert int(postgres_server.psql("SELECT count(*) FROM pg_stat_statements", database="statistics")) > 0


@pytest.mark.parametrize("attempt", [1, 2])
def test_every_test_gets_a_database_of_its_own(attempt, postgres_database, postgres_server):
    name = postgres_database.rsplit("/", 1)[1]
    postgres_server.psql("CREATE TABLE only_here (id int)", database=name)


def test_a_fresh_database_is_dropped_though_someone_is_connected(postgres_server):
    with postgres_server.fresh_database() as url:
        client = subprocess.Popen(
            [postgres_server.tools / "psql", "-q", "-c", "SELECT pg_sleep(60)", url], stderr=subprocess.DEVNULL
        )
    assert client.wait(10) != 0
    name = url.rsplit("/", 1)[1]
    assert postgres_server.psql(f"SELECT count(*) FROM pg_database WHERE datname = '{name}'") == "0"


def test_a_statement_that_postgres_refuses_is_an_error_with_its_words(postgres_server):
    with pytest.raises(ServerFailed, match='relation "nowhere" does not exist'):
        postgres_server.psql("SELECT * FROM nowhere")


def test_a_database_name_is_no_place_for_statements(postgres_server):
    with pytest.raises(ValidationError), postgres_server.fresh_database('x"; DROP DATABASE postgres'):
        pass


def test_a_setting_that_postgres_refuses_is_quoted():
    with (
        pytest.raises(ServerFailed, match="no_such_setting"),
        postgres(settings={"no_such_setting": "1"}),
    ):
        pass


def test_no_server_runs_as_root(postgres_server, valkey_server, openbao):
    for pid in (postgres_server.pid, valkey_server.pid, openbao.pid):
        assert owner(pid) != 0


def test_valkey_keeps_what_it_is_given(valkey_server, valkey_url):
    assert valkey_url == f"redis://127.0.0.1:{valkey_server.port}/0"
    assert valkey_server.command("SET", "greeting", "grüß dich") == "OK"
    assert valkey_server.command("STRLEN", "greeting") == "11"


@pytest.mark.parametrize("attempt", [1, 2])
def test_the_valkey_database_of_a_test_is_empty(attempt, valkey_database, valkey_server):
    assert valkey_server.command("DBSIZE") == "0"
    valkey_server.command("SET", "left", "over")


def test_a_command_that_valkey_refuses_is_an_error(valkey_server):
    with pytest.raises(ServerFailed, match="unknown command"):
        valkey_server.command("NONSENSE")


def test_openbao_keeps_versions_of_a_secret(openbao):
    for colour in ("green", "blue"):
        openbao.request("POST", "secret/data/door", {"data": {"colour": colour}})
    old = openbao.request("GET", "secret/data/door?version=1")
    assert old["data"]["data"] == {"colour": "green"}


def test_openbao_refuses_a_wrong_path_and_never_shows_its_token(openbao):
    with pytest.raises(ServerFailed, match="404") as caught:
        openbao.request("GET", "secret/data/nothing-here")
    assert openbao.token not in str(caught.value)
    assert openbao.token not in repr(openbao)


def test_the_token_of_openbao_is_not_on_its_command_line(openbao):
    assert openbao.token not in Path(f"/proc/{openbao.pid}/cmdline").read_text()
