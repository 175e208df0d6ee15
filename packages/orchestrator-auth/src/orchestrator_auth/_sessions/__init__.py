"""Sessions: the parts behind `orchestrator_auth.sessions`."""
