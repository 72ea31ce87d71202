"""Gateways on small machines: what they take, and what happens to them there.

`capacity` runs four gateways, each within the memory and the core of a small box, with meters at
their pace; `faults` break things under that load. Real processes, real brokers, real TLS.
"""
