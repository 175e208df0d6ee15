"""The command `orchestrator`."""

from orchestrator_app.cli._main import main

__all__ = ["main"]
