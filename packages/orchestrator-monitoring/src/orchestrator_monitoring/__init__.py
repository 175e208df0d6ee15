"""Metrics, health, traces, service level objectives, alerts and dashboards.

Import the module you need: `orchestrator_monitoring.metrics` measures, `.health` judges, `.tracing` follows, `.slo_monitor` keeps the budget, `.alerting` tells people,
`.dashboard_config` draws. What a module needs beyond the base install is an extra, named in the README.
"""
