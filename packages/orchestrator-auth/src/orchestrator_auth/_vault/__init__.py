"""A client of HashiCorp Vault and OpenBao: the parts behind `orchestrator_auth.vault_client`."""
