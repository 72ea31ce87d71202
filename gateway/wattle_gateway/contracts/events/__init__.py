"""The life of an event, from `publish` to the end (DEMAND_RESPONSE.md, D17 to D23)."""
