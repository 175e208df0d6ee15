"""What `orchestrator_performance.connection_pools` is made of."""
