"""What `orchestrator_performance.caching` is made of."""
