"""Keys: sealing personal data so that it can be erased.

Import the module you need: `orchestrator_secrets.envelope` seals, `.sql_key_store` (extra `[sql]`) keeps the keys in a database.
"""
