"""Performance of asyncio services: measured first, then made.

Import the module you need: `orchestrator_performance.benchmarking` compares implementations by paired ratios and loads a service in
an open loop. Nothing is re-exported here, so that importing one part does not cost the import of the others.
"""
