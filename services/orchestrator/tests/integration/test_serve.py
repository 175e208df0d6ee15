"""`orchestrator serve` as a process: what it logs and keeps, how it ends, and what it says when it cannot begin."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from app_support import (
    AGENT_SECRET,
    AUTHORIZED,
    BEARER_KEY,
    CALLER,
    LIVEKIT_KEY,
    LIVEKIT_SECRET,
    ROOT_KEY,
    TENANT,
    TOKEN,
    Commands,
    Process,
    client_of,
    environment,
    livekit_webhook,
    new_call,
    sign_livekit,
    sip_caller,
)
from websockets.asyncio.client import connect

from orchestrator_app.composition.database import KEYS

SCRIPT = Path(__file__).parents[1] / "short.toml"
SECRETS = {
    "ORCHESTRATOR_SECURITY__ACCESS_TOKEN": TOKEN,
    "ORCHESTRATOR_SECURITY__ROOT_KEY": ROOT_KEY,
    "ORCHESTRATOR_AGENTS__SECRETS__FIRST": AGENT_SECRET,
    "ORCHESTRATOR_AGENTS__BEARER_KEY": BEARER_KEY,
    "ORCHESTRATOR_LIVEKIT__API_KEY": LIVEKIT_KEY,
    "ORCHESTRATOR_LIVEKIT__API_SECRET": LIVEKIT_SECRET,
    "ORCHESTRATOR_LIVEKIT__TENANT": TENANT,
    "ORCHESTRATOR_LOG__FORMAT": "json",
}
TENANTS = f'[tenants.{TENANT}]\nname = "The Harbour House"\nnumbers = ["+4930901821"]\nscript = "{SCRIPT}"\n'


@pytest.fixture
def folder(tmp_path: Path, migrated: Path) -> Path:
    """Where a service runs: its settings file, and a data folder with tables."""
    (tmp_path / "orchestrator.toml").write_text(TENANTS)
    shutil.copytree(migrated, tmp_path / "var")
    return tmp_path


# --- a call through a real process --------------------------------------------------------------------------------------------

SAID = "My name is Marianne Schuster, breakfast please"


async def hear_a_call(process: Process) -> tuple[str, set[str]]:
    """One call through every door; its id, and everything of it that nobody else is to learn."""
    ws = process.told["url"].replace("http", "ws", 1)
    async with client_of(process) as service:
        started = await service.start()
        call_id, token = started["call_id"], started["session_token"]
        async with (
            connect(f"{ws}/v1/calls/{call_id}/events", additional_headers=AUTHORIZED) as watching,
            connect(f"{ws}/v1/calls/{call_id}/media?token={token}") as media,
        ):
            await media.send(json.dumps({"type": "hello", "reports": True}))
            body = livekit_webhook("participant_joined", call_id, participant=sip_caller())
            assert (await service.webhook(body)).status_code == 200
            while not isinstance(await media.recv(), bytes):
                pass
            assert (await service.says(call_id, SAID))["status"] == "processed"
            await service.event(call_id, "dtmf", digit="7")
            # What is refused is logged too, and must tell as little.
            wrong = json.dumps({"type": SAID, "call_id": call_id, "data": {"text": [SAID]}}).encode()
            assert (await service.signed(wrong)).status_code == 422
            assert (await service.signed(wrong, secret="another-secret-0123456789")).status_code == 401
            assert (await service.http.get("/v1/calls", headers={"authorization": f"Bearer {SAID}"})).status_code == 401
            start = {"caller_id": SAID, "tenant_id": TENANT}
            assert (await service.post("/v1/call/start", start)).status_code == 422
            await media.send(json.dumps({"type": "playback_finished", "key": SAID, "played_ms": 1}))
            await service.post(f"/v1/calls/{call_id}/end", {"reason": f"complaint of {CALLER}"})
            told = "".join([str(message) async for message in watching])
        assert SAID in told
        assert (await service.view(call_id))["turns"][1]["caller"] == SAID
        assert (await service.webhook(body, "Bearer " + sign_livekit(body))).status_code == 401
    return call_id, {CALLER, CALLER[1:], SAID, "Marianne", "Schuster", "complaint of", token, token.split(".")[0]}


async def test_nothing_personal_or_secret_is_logged_or_lies_in_the_data_folder(folder: Path, command: Commands) -> None:
    with Process(folder, **SECRETS, ORCHESTRATOR_LOG__LEVEL="DEBUG") as process:
        call_id, private = await hear_a_call(process)
        process.signal()
        assert process.wait() == 0

    secrets = {TOKEN, ROOT_KEY, AGENT_SECRET, BEARER_KEY, LIVEKIT_SECRET}
    lines = [json.loads(line) for line in process.log.splitlines()]
    assert {"draining", "webhook refused", "request refused"} <= {line["event"] for line in lines}
    assert not [line for line in lines if line["level"] in {"error", "critical"}]
    assert not [word for word in private | secrets if word in process.log]
    stored = b"".join(path.read_bytes() for path in sorted((folder / "var").rglob("*")) if path.is_file())
    assert call_id.encode() in stored
    assert not [word for word in private | secrets if word.encode() in stored]
    assert not [
        word for word in private if word.encode("utf-16-le") in stored or word.encode().hex().encode() in stored
    ]

    # Whoever may open the folder with its keys sees the call.
    listed = await asyncio.to_thread(command, "calls", "list", "--json", folder=folder, **SECRETS)
    shown = await asyncio.to_thread(command, "calls", "show", call_id, folder=folder, **SECRETS)
    assert [(each["id"], each["tenant"], each["state"]) for each in json.loads(listed.stdout)] == [
        (call_id, TENANT, "ended")
    ]
    assert f"caller  {SAID}" in shown.stdout
    assert (listed.stderr, shown.stderr) == ("", "")


async def test_the_first_start_makes_what_it_needs(tmp_path: Path) -> None:
    with Process(tmp_path) as process:
        token = (tmp_path / "var" / "access.token").read_text().strip()
        assert process.told == {
            "url": process.told["url"],
            "data": str(tmp_path / "var"),
            "token_file": str(tmp_path / "var" / "access.token"),
            "voices": ["embedded"],
        }
        async with client_of(process) as service:
            assert (
                await service.http.get("/v1/calls", headers={"authorization": f"Bearer {token}"})
            ).status_code == 200
            assert (await service.http.get("/v1/calls", headers=AUTHORIZED)).status_code == 401
        process.signal(signal.SIGINT)
        assert process.wait() == 0

    assert token not in process.log
    for name in ("access.token", "root.key", "agent.secret", "master.keys"):
        assert (tmp_path / "var" / name).stat().st_mode & 0o777 == 0o600, name
    assert (tmp_path / "var").stat().st_mode & 0o777 == 0o700


async def test_nobody_on_this_machine_chooses_an_address(folder: Path) -> None:
    limits = json.dumps({"anonymous": "2/minute"})
    with Process(folder, **SECRETS, ORCHESTRATOR_RESILIENCE__RATE_LIMITS=limits) as process:
        async with client_of(process) as service:
            codes = [
                (await service.http.get("/", headers={"x-forwarded-for": f"203.0.113.{number}"})).status_code
                for number in range(3)
            ]
    assert codes == [401, 401, 429]


# --- its end ------------------------------------------------------------------------------------------------------------------


async def test_a_call_survives_the_death_of_its_process_and_is_given_its_time_by_the_next(folder: Path) -> None:
    call_id = new_call()
    with Process(folder, **SECRETS) as process:
        async with client_of(process) as service:
            await service.event(call_id, "call_started", reply_channel="answer")
            asked = json.dumps(service.next_event(call_id, "transcription", text="When is breakfast?")).encode()
            answer = (await service.signed(asked)).json()
            sequences = service.sequences
        process.kill()

    with Process(folder, **SECRETS) as process:
        async with client_of(process) as service:
            service.sequences = sequences
            assert (await service.signed(asked)).json() == {**answer, "duplicate": True}

            process.signal()
            async with asyncio.timeout(10):
                while (await service.http.get("/health/ready")).status_code == 200:
                    await asyncio.sleep(0.05)
            refused = await service.post("/v1/call/start", {"caller_id": CALLER, "tenant_id": TENANT})
            assert (refused.status_code, refused.json()["code"]) == (503, "draining")
            await asyncio.sleep(0.5)
            assert (await service.says(call_id, "And breakfast tomorrow?"))["actions"]

            await service.event(call_id, "call_ended")
        assert process.wait(10) == 0


async def test_the_second_signal_does_not_wait_and_the_call_goes_on_later(folder: Path, command: Commands) -> None:
    call_id = new_call()
    with Process(folder, **SECRETS) as process:
        async with client_of(process) as service:
            await service.event(call_id, "call_started", reply_channel="answer")
        process.signal()
        await asyncio.sleep(0.3)
        process.signal()
        assert process.wait(5) == 0

    shown = await asyncio.to_thread(command, "calls", "show", call_id, "--json", folder=folder, **SECRETS)
    assert json.loads(shown.stdout)["state"] == "active"


# --- when it cannot begin -----------------------------------------------------------------------------------------------------


class Refused:
    """`serve` that cannot begin: its exit code, and the one sentence that it leaves with."""

    def __init__(self, command: Commands, folder: Path) -> None:
        self._command = command
        self._folder = folder

    def __call__(self, *arguments: str, **variables: str) -> tuple[int, str]:
        done = self._command("serve", "--port", "0", *arguments, folder=self._folder, **{**SECRETS, **variables})
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
        *logged, said = done.stderr.strip().splitlines()
        assert not [line for line in logged if json.loads(line)["level"] in {"error", "critical"}]
        assert said.startswith("orchestrator: ")
        return done.returncode, said


@pytest.fixture
def refused(command: Commands, folder: Path) -> Refused:
    return Refused(command, folder)


def test_a_process_that_cannot_begin_leaves_with_one_sentence(folder: Path) -> None:
    """As `Refused` sees it from within, and the shell from without."""
    url = "postgresql://joe:very-secret@127.0.0.1:1/calls"
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator_app", "serve", "--port", "0"],
        cwd=folder,
        env=environment(**SECRETS, ORCHESTRATOR_DATABASE__URL=url),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout) == (1, "")
    [said] = done.stderr.splitlines()
    assert said.startswith("orchestrator: the database postgresql+asyncpg://joe:***@127.0.0.1:1/calls cannot be used: ")


def test_a_port_in_use(folder: Path, refused: Refused) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = refused("--port", str(port))

    assert (code, said) == (
        2,
        f"orchestrator: cannot listen on 127.0.0.1:{port}: Address already in use; choose another port with --port",
    )


def test_a_data_folder_that_cannot_be_written(folder: Path, refused: Refused) -> None:
    (folder / "file").touch()

    assert refused("--data", "file/data") == (
        2,
        "orchestrator: the data folder file/data cannot be made: Not a directory; set data_dir",
    )


def test_a_database_that_cannot_be_reached(refused: Refused) -> None:
    code, said = refused(ORCHESTRATOR_DATABASE__URL="postgresql://joe:very-secret@127.0.0.1:1/calls?sslmode=disable")

    assert code == 1
    assert said.startswith("orchestrator: the database postgresql+asyncpg://joe:***@127.0.0.1:1/calls")
    assert "cannot be used: " in said
    assert "very-secret" not in said


@pytest.mark.server
def test_a_database_that_is_not_there(folder: Path, refused: Refused, postgres_url: str) -> None:
    code, said = refused(ORCHESTRATOR_DATABASE__URL=postgres_url.rpartition("/")[0] + "/nowhere")

    assert code == 1
    assert 'database "nowhere" does not exist' in said


@pytest.mark.server
def test_a_database_server_without_tables(folder: Path, refused: Refused, postgres_database: str) -> None:
    code, said = refused(ORCHESTRATOR_DATABASE__URL=postgres_database)

    others = sorted({each.name for each in entry_points(group="orchestrator.migrations")} - {KEYS})
    assert {"calls", "security"} <= set(others)
    tables = ", ".join(others)
    assert (code, said) == (1, f"orchestrator: the tables of {tables} are not up to date; run `orchestrator migrate`")


def newer(path: Path, package: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE {package}_alembic_version SET version_num = '9999'")
    connection.close()


@pytest.mark.parametrize(("file", "package"), [("calls.db", "calls"), ("keys.db", KEYS)])
def test_tables_of_a_newer_version(folder: Path, refused: Refused, file: str, package: str) -> None:
    newer(folder / "var" / file, package)

    assert refused() == (
        1,
        f"orchestrator: the tables of {package} were written by a newer version (9999); install that version",
    )


def test_a_file_that_is_no_database(folder: Path, refused: Refused) -> None:
    (folder / "var" / "calls.db").write_bytes(b"no database" * 1000)

    code, said = refused()

    assert code == 1
    assert "calls.db cannot be used: file is not a database" in said


def test_settings_that_are_wrong_are_named_all_at_once(folder: Path, command: Commands) -> None:
    done = command(
        "serve", folder=folder, ORCHESTRATOR_SERVER__PROT="1", ORCHESTRATOR_REGION="mars", ORCHESTRATOR_CALLS__IDLE="-1"
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert "3 settings are wrong" in done.stderr
    for name in ("server.prot", "ORCHESTRATOR_SERVER__PORT?", "ORCHESTRATOR_REGION", "ORCHESTRATOR_CALLS__IDLE"):
        assert name in done.stderr
    assert "Traceback" not in done.stderr


def test_production_makes_no_secrets_of_its_own(folder: Path, command: Commands) -> None:
    done = command("serve", folder=folder, ORCHESTRATOR_ENVIRONMENT="production")

    assert done.returncode == 2
    assert "set security.access_token, security.root_key, agents.secrets" in done.stderr
    assert not list((folder / "var").glob("*.token"))


def test_a_script_that_is_wrong_is_named_with_its_lines(folder: Path, command: Commands) -> None:
    script = folder / "house.toml"
    script.write_text(SCRIPT.read_text() + "[intents.nothing]\n")
    (folder / "orchestrator.toml").write_text(TENANTS.replace(str(SCRIPT), str(script)))

    done = command("serve", folder=folder, **SECRETS)

    assert done.returncode == 2
    assert f"{script}:{len(script.read_text().splitlines())}: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_secret_that_others_may_read(folder: Path, command: Commands) -> None:
    (folder / "var" / "root.key").write_text("x" * 43)
    (folder / "var" / "root.key").chmod(0o640)
    secrets = {name: value for name, value in SECRETS.items() if "ROOT_KEY" not in name}

    done = command("serve", folder=folder, **secrets)

    assert (done.returncode, done.stderr) == (
        2,
        "orchestrator: var/root.key may be read by others; set its mode to 600\n",
    )


def test_old_names_are_told_on_standard_error(folder: Path, command: Commands) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = command("serve", folder=folder, **SECRETS, PORT=str(taken.getsockname()[1]))

    assert "orchestrator: PORT: is an old name; set ORCHESTRATOR_SERVER__PORT instead" in done.stderr
    assert done.returncode == 2
