"""One module per external system, loaded only when it is chosen."""
