"""Faults planted into the rules, in memory: a simulator that lets one pass is not worth its time.

A mutant is a list of replaced attributes. Each is a mistake that somebody made or nearly made
(consensus implementations' own histories), as small as it would be in a diff.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from wattle_testkit.simulation.mutants import (
    commit_mutants,
    graph_mutants,
    node_mutants,
)
from wattle_testkit.simulation.mutants.replacement import Replacement
from wattle_testkit.simulation.purity import replaced

MUTANTS: Mapping[str, Callable[[], list[Replacement]]] = {
    **commit_mutants.MUTANTS,
    **graph_mutants.MUTANTS,
    **node_mutants.MUTANTS,
}


@contextmanager
def planted(name: str) -> Iterator[None]:
    """While this lasts, the rules have the fault of this name."""
    with ExitStack() as stack:
        for owner, attribute, value in MUTANTS[name]():
            stack.enter_context(replaced(owner, attribute, value))
        yield
