"""What `orchestrator_security.input_validation` is made of."""
