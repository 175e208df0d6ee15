"""Real servers for tests: `with postgres() as server: connect(server.url)`.

Each context manager starts one server from a wheel of the extra `[servers]` on a free port of 127.0.0.1, in a temporary folder of its
own, and stops it on leaving. As root, the server runs as `nobody`. When this process dies, however it dies, Linux ends the server.
"""

from orchestrator_testing.servers._process import ServerFailed, ServerNotInstalled
from orchestrator_testing.servers.openbao import OpenBao, openbao
from orchestrator_testing.servers.postgres import Postgres, postgres
from orchestrator_testing.servers.valkey import Valkey, valkey

__all__ = [
    "OpenBao",
    "Postgres",
    "ServerFailed",
    "ServerNotInstalled",
    "Valkey",
    "openbao",
    "postgres",
    "valkey",
]
