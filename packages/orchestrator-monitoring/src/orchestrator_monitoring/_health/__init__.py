"""How the health of a process is judged."""
