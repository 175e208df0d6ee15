"""How personal data is found: one file per kind of it, on a common pass over the text (`scan`)."""
