"""Does the ledger hold what the load did? An independent check, small enough to read in one go.

It shares no code with the system it checks: standard library, `ecdsa` and `cbor2` only, nothing
else of this project. The folder can be copied anywhere and run by itself:

    python -m energy_check points.json --meters meters.csv --samples samples.csv

`meters.csv` is what `wattle-gateway meters list --format csv` prints, `samples.csv` what
`wattle-gateway samples --format csv --raw` prints. points.json is
`{"ledger_id": hex, "points": [..]}`, each point with the keys of `point.Point`.

Everything is exact: integers and fractions, no floats. What is checked, per sample and point:

- signature: every sample is a COSE_Sign1 (RFC 9052) of its meter, of kind `sample`, for this
  ledger, ES256 with s in the lower half.
- chain: no seq twice; seqs rise by one from the enrolled first one, except where the meter signed
  that some will not come; each sample names the digest of the one before it.
- row: each row of the export says what the signed bytes say; no reading without its row.
- slots: times lie on the sampling grid and rise with seq; none of the slots that must be there is
  missing, unless the meter restarted in between.
- energy: each counter reading v lies in E(t) - r <= v <= E(t + lateness) + r, where E(t) = initial
  counter + integral of the curve until t, r = resolution of the register.
- integral: where the readings enclose the whole curve, last - first differs from its integral by
  less than r.
"""
