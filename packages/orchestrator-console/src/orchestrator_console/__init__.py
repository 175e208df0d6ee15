"""The operators' web page: live calls, health, objectives, alerts, breakers, audit events, and a test call from the browser.

`Console` takes read-only ports of `orchestrator_kernel.ports.operations` and gives an ASGI application that any service can mount.
"""

from orchestrator_console._web import CONTENT_SECURITY_POLICY
from orchestrator_console.config import ConsoleConfig, Permissions
from orchestrator_console.console import FORM_PATHS, PUBLIC_PATHS, STREAM_PATHS, Console

__all__ = [
    "CONTENT_SECURITY_POLICY",
    "FORM_PATHS",
    "PUBLIC_PATHS",
    "STREAM_PATHS",
    "Console",
    "ConsoleConfig",
    "Permissions",
]
