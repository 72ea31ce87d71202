"""Are statements of events what the readings say? An independent check, to the smallest unit.

It shares no code with the system it checks: standard library only, nothing else of this project.
The folder can be copied anywhere and run by itself:

    python -m settlement_check event.json .. --samples samples.csv

event.json is what `wattle-gateway dr event DIR ID --format json` prints, `samples.csv` what
`wattle-gateway samples DIR --format csv` prints: of all meters of the event and, for a baseline of
other days, of all days that it looks back on.

What is computed anew, from readings alone, in integers and fractions:

- the energy of each interval, by register or integral (gateway/DEMAND_RESPONSE.md, D7 to D11);
- the baseline of each load by the event's rule, with its zone, holidays and earlier events;
- the three amounts of each line (D35), the net of each load, with decisions;
- what each payee's share is, and what it was paid (protocol/SPEC.md section 12, settlement);
- the correction, if samples came after the last statement.

A statement rests on the samples committed up to the commit that it names, and a reading counts
unless its day was closed when it was committed. What is taken from the event's JSON: who promised
what, who was called when, prices, the classes that the ledger gave to samples, decisions, and what
was carried in from earlier events.

Not seen from here: offers and parameters that changed within the look-back before the event (the
ledger keeps days as they were closed under the older ones), samples committed before the ledger had
rules 3, and a boundary reading that came after the day before it was closed.
"""
