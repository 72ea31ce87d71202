"""The ledger with a market in `protocol/vectors/ledger.json`: rules 3 of SPEC 9, 11 and 12.

A grid company alone, whose market has intervals of an hour and days that are settled at once. An
adjustable point shows its registers around an hour, one reading of it comes late, and the next day
settles the first. `make_ledger_vectors.py` drives it and writes it.
"""

from dataclasses import replace

from alliance_vectors import lone_member, pair, signed_by_meter
from make_vectors import EUI64, TIME_MS
from wattle_gateway.ledger import crypto, entry, genesis, transaction
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.ledger.market import Market, Weights, ZoneRow
from wattle_gateway.ledger.transaction import Enrol, Point
from wattle_wire import cose, sample, uplink
from wattle_wire.sample import Reading, Sample

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
BEGIN_MS = TIME_MS - TIME_MS % HOUR_MS  # 22:00 UTC
CREATED_MS = BEGIN_MS - 60_000
MARKET = replace(
    Market(),
    interval_s=3600,
    settle_ms=1_000,
    dispute_ms=2_000,
    fine_ms=3_000,
    holidays=(19_715, 19_716),
    zone=ZoneRow(3600, ((1_711_846_800, 7200), (1_729_990_800, 3600))),
    weights=tuple(
        (name, Weights(0, 500, 1000, 1000) if name == "late" else weights)
        for name, weights in Market().weights
    ),
)


def example_genesis() -> genesis.Genesis:
    """A ledger of rules 3, whose state has a full root every second commit."""
    members = lone_member("grid company", genesis.GRID_COMPANY)
    constants = Constants(state_root_every=2, market=MARKET)
    return genesis.create("market.wattle", CREATED_MS, members, constants, rules=3)


class Metered:
    """What the gateway and its meter send, each with the time of its commit."""

    def __init__(self, epoch: Epoch) -> None:
        self._epoch = epoch
        self._previous: bytes | None = None
        self._seq = 0

    def timed(self) -> list[tuple[int, list[bytes]]]:
        """(Unix ms, the entries of a block)."""
        half_ms = HOUR_MS // 2
        first = self._sample(self._reading(0, 1_000, 5_000), self._reading(half_ms, 1_250, 6_000))
        second = self._sample(self._reading(HOUR_MS + 2_000, 1_600, 7_000))
        # Of the hour before, and not in the order of time: it counts all the same.
        late = self._sample(self._reading(half_ms + 60_000, 1_260, 4_000))
        next_day = self._sample(self._reading(DAY_MS, 9_000, 0))
        return [
            (BEGIN_MS, [self._enrol()]),
            (BEGIN_MS + half_ms + 1_000, [first]),
            (BEGIN_MS + HOUR_MS + 3_000, [second, late]),
            (BEGIN_MS + DAY_MS + 1_000, [next_day]),
        ]

    def _enrol(self) -> bytes:
        keys = [crypto.public_of(pair(name)) for name in ("meter", "meter link", "meter tls")]
        proof = uplink.encode_proof(EUI64, keys[0], keys[1], keys[2], 1, "file")
        message = signed_by_meter(self._epoch.ledger_id, "enrol", proof)
        kid = self._epoch.members[0].kid
        point = Point(1, transaction.ELECTRICITY, 10_000, 2_000, (1, 1), (1, 1), 1, kid)
        raw = transaction.build(
            self._epoch.ledger_id,
            kid,
            crypto.signer(pair("block")),
            lane=0,
            nonce=0,
            until_ms=BEGIN_MS + HOUR_MS,
            kind=transaction.ENROL,
            body=transaction.enrol_body(Enrol(message, "demo", kid, (), 0, (point,))),
        )
        return entry.encode(entry.TRANSACTION, raw, self._epoch.constants.entry_bytes_max)

    def _reading(self, after_ms: int, imported_wh: int, power_dw: int) -> Reading:
        return Reading(1, BEGIN_MS + after_ms, "G", {"ei": imported_wh, "p": power_dw})

    def _sample(self, *readings: Reading) -> bytes:
        self._seq += 1
        payload = sample.encode(Sample(EUI64, self._seq, 1, self._previous, "S", list(readings)))
        kid = cose.kid_of(crypto.public_of(pair("meter")))
        self._previous = cose.digest("sample", self._epoch.ledger_id, kid, payload)
        raw = signed_by_meter(self._epoch.ledger_id, "sample", payload)
        return entry.encode(entry.SAMPLE, raw, self._epoch.constants.entry_bytes_max)
