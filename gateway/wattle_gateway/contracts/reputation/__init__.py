"""What parties and gateways earned over time (DEMAND_RESPONSE.md, D14 and D32 to D34).

`standing` is the row that it is kept in, `conduct` what moves it, `connection` what committed
blocks say of a gateway, `seats` what a suspension costs it, `upkeep` what each commit does of all
that by itself. Worked in SCORING.md.
"""
