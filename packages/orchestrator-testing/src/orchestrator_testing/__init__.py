"""What tests of the orchestrator's packages share.

`orchestrator_testing.servers` starts real servers from wheels (extra `[servers]`), `orchestrator_testing.pytest_plugin` offers them as
fixtures (extra `[pytest]`), and `orchestrator_testing.docs` runs the examples of documents (extra `[docs]`). Import the module you need;
nothing is imported or started here.
"""
