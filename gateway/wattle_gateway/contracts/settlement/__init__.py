"""From what was measured to what is paid (DEMAND_RESPONSE.md, D35 to D41)."""
