"""A ledger that begins with a snapshot: made, proved from the genesis on, and begun from."""
