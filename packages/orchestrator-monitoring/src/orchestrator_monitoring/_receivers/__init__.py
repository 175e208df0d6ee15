"""One module per service that takes notices; each is loaded when it is chosen."""
