"""One file per scheme, on a common core: `secret_ring`, `limits`, `decoding`."""
