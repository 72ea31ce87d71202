"""Memory: whatever a peer or a meter can make grow stays within its named limit.

The limits are read when this module is imported, so a planted fault that lifts one is caught.
"""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from wattle_gateway.consensus.acceptance import ROUNDS_AHEAD_MAX, TWINS_TAKEN
from wattle_gateway.consensus.parking import PARKED_BLOCKS_MAX, PARKED_BYTES_MAX
from wattle_gateway.consensus.pool import POOL_BLOCKS_MAX
from wattle_gateway.runtime.driver import LedgerDriver
from wattle_gateway.runtime.ingest_memory import REMEMBERED_MAX
from wattle_gateway.sync.fetching import FETCHES_PER_PEER_MAX, LATE_MAX, WANTED_MAX
from wattle_gateway.sync.peer import PEERS_MAX

from wattle_testkit.simulation.checkers import ViolationError
from wattle_testkit.simulation.network import Network

if TYPE_CHECKING:
    from wattle_testkit.simulation.gateway import SimGateway

# Messages on one way at a time. A round is a block, and what a lost or forged one sets off is a
# few requests for each peer every two seconds; more would be a storm that feeds itself.
IN_FLIGHT_MAX = 400

Measured = tuple[str, int, int]
"""What, how much of it there is, how much there may be."""


def check_bounds(gateway: "SimGateway") -> None:
    """Raise ViolationError if something of a gateway is beyond its limit."""
    for what, found, limit in _measured(gateway.driver):
        if found > limit:
            raise ViolationError(
                "memory", f"{gateway.address}: {what} is {found}, expected at most {limit}"
            )


def check_in_flight(network: Network, honest: Collection[str]) -> None:
    """Raise ViolationError if an honest address has sent somebody more than any link bears. (A
    liar sends what it likes.)"""
    for (one, other), found in network.in_flight.items():
        if found > IN_FLIGHT_MAX and one in honest:
            raise ViolationError(
                "memory",
                f"{found} messages from {one} to {other}, expected at most {IN_FLIGHT_MAX}",
            )


def _measured(driver: LedgerDriver) -> Iterator[Measured]:
    size, constants = driver.epoch.size, driver.epoch.constants
    acceptance = driver.engine._acceptance
    # What is not decided yet may be as many rounds as a member takes ahead of the others.
    rounds = constants.gc_depth + 2 * ROUNDS_AHEAD_MAX
    yield "blocks in the graph", len(acceptance.dag), TWINS_TAKEN * size * rounds
    parking = acceptance.parking
    yield "parked blocks of an author", max(map(len, parking._blocks)), PARKED_BLOCKS_MAX
    yield "parked bytes of an author", max(parking._bytes), PARKED_BYTES_MAX
    yield (
        "entries in the pool",
        len(driver.engine._pool),
        (POOL_BLOCKS_MAX * constants.block_entries_max),
    )
    yield "samples remembered", len(driver.memory._by_raw), REMEMBERED_MAX
    fetcher, links = driver.synchronizer._fetcher, driver.synchronizer._links
    yield "references wanted", len(fetcher._wanted), 2 * WANTED_MAX
    peers = list(links)
    yield "links", len(peers), PEERS_MAX
    fetches = max((len(peer.fetches) for peer in peers), default=0)
    yield "fetches in flight to a peer", fetches, FETCHES_PER_PEER_MAX
    late = max((len(peer.late) for peer in peers), default=0)
    yield "late answers of a peer waited for", late, LATE_MAX
