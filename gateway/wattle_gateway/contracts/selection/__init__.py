"""Which loads answer a need, and why these (DEMAND_RESPONSE.md, D24 to D26)."""
