"""Resilience for asyncio: circuit breaker, rate limiter, retry and hedge, backpressure, deadlines, and one pipeline of them per dependency.

Import the modules you need: `orchestrator_resilience.manager`, `.circuit_breaker`, `.rate_limiter`, `.rate_limit_rules`,
`.rate_limit_middleware`, `.pacing`, `.retry_utils`, `.backpressure_handler`, `.deadlines`, `.events`, `.config`, `.pipeline_config`; and with
extras `.http_transport` (`[http]`), `.shared_breaker` (`[redis]`), `.metrics` (`[metrics]`) and `.telemetry` (`[otel]`). Importing the package
itself loads nothing.
"""
