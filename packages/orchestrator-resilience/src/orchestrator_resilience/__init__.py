"""Resilience for asyncio: circuit breaker, rate limiter, retry and hedge, backpressure, deadlines, and one pipeline of them per dependency.

Import the modules you need: `orchestrator_resilience.manager`, `.circuit_breaker`, `.rate_limiter`, `.rate_limit_rules`,
`.rate_limit_middleware`, `.retry_utils`, `.backpressure_handler`, `.deadlines`, `.config`, `.pipeline_config`, and `.http_transport` (extra
`[http]`). Importing the package itself loads nothing.
"""
