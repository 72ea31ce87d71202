"""A whole alliance in one thread: the production driver over fake time, network, disk and meters.

Everything that happens is drawn from one integer, so a failure is replayed by its seed. Nothing
here reads a clock, a global random source or the order of hashes.
"""
