"""What needs an extra: one module per external system, loaded when it is chosen."""
