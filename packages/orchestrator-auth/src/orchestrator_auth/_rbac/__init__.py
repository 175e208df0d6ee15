"""Authorization: the parts behind `orchestrator_auth.rbac`."""
