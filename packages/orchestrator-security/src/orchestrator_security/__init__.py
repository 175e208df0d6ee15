"""The doors of a service: who may come in, and what may leave.

Import the module you need; `orchestrator_security.webhook_security` proves who sent a webhook.
"""
