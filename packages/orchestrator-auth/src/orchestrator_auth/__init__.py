"""Who may do what: tokens, sessions, passwords, second factors, API keys, roles, and the gate of an ASGI application.

Import the module you need: `orchestrator_auth.jwt_service` makes and checks tokens, `.rbac` decides, `.middleware` lets in, `.signin` signs in,
`.vault_client` talks to Vault. What a module needs beyond the base install is an extra, named in the README.
"""
