"""One module per external system, imported only when it is chosen."""
