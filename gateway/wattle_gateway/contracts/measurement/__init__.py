"""What a point used in each interval, from its signed readings (DEMAND_RESPONSE.md, D3 to D13)."""
