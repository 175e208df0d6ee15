"""Where the packages meet: one module per concern, and nowhere else."""
