"""How calls become business figures."""
