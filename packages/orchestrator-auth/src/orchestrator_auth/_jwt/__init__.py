"""Tokens: the parts behind `orchestrator_auth.jwt_service`."""
