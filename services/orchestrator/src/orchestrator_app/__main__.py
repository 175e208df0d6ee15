"""`python -m orchestrator_app` is the command `orchestrator`."""

from orchestrator_app.cli import main

main()
