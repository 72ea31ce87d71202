"""How well a party kept what it declared (DEMAND_RESPONSE.md, D27 to D31; worked in SCORING.md).

`parts` looks at one resource in one event, `score` at a party against its own past and against
the others. Pure and of integers, so that every holder of the ledger computes the same.
"""
