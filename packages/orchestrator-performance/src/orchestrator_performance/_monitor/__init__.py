"""What `orchestrator_performance.monitor` is made of."""
