"""How spans are recorded, judged and handed on; `orchestrator_monitoring.tracing` is the way in."""
