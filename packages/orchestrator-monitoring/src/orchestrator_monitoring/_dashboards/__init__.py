"""Queries, panels and files of dashboards; `orchestrator_monitoring.dashboard_config` is the way in."""
