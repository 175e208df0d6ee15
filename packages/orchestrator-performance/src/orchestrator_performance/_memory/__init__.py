"""What `orchestrator_performance.memory_optimizer` is made of."""
