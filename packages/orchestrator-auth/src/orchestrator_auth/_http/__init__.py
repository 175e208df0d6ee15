"""Requests: the parts behind `orchestrator_auth.middleware`."""
