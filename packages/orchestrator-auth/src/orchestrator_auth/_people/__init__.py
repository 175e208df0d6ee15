"""People: the parts behind `orchestrator_auth.users`."""
