"""Faults of a gateway around the rules: its disk, its execution, what it takes from peers."""

from wattle_gateway.contracts import chain

from wattle_testkit.simulation.mutants.replacement import Replacement


def repeats_count() -> list[Replacement]:
    """A sample that is in the ledger takes effect again (SPEC section 12, rule 1)."""
    return [(chain, "settled", lambda chain, seq: False)]


MUTANTS = {function.__name__: function for function in (repeats_count,)}
