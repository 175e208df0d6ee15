"""What `orchestrator_security.headers_middleware` is made of."""
