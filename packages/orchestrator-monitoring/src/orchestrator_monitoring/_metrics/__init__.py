"""How metrics are declared, kept and written out."""
