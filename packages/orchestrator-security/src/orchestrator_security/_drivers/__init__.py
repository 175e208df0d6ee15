"""One module per external system, loaded only when chosen."""
