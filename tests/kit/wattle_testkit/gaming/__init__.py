"""Who gains by cheating? A search over what a party can do to be paid more than it earns.

Loads are made here; baselines, measurement, lines, scores and reputations are the contracts' own.
`python -m wattle_testkit.gaming` writes the table of gateway/SCORING.md.
"""
