"""What the sessions of nox call; run from the root of the workspace."""
