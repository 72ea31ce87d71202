"""Carrying out what the ledger orders of adjustable loads (DEMAND_RESPONSE.md D21, D22)."""
