"""What `orchestrator_security.audit_logging` is made of."""
