"""The baseline engine: what a point would have used, had it not been called.

`presets` holds the rules of programmes, `engine.baseline` applies one; `placebo` says how far a
rule is off on days without an event. Nothing here knows a clock, a zone database or a file.
"""
