"""What parties and gateways earned over time (DEMAND_RESPONSE.md, D14 and D32 to D34).

`standing` is the row that it is kept in, `conduct` what moves it, `seats` what it means for a
member, `profile` what its last events say of it. Worked in SCORING.md.
"""
