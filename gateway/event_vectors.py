"""The ledger with an event in `protocol/vectors/ledger.json`: rules 3 of SPEC 10 to 12.

An aggregator alone calls the loads of two users whom it hosts. They offer and declare; when the
time has come the ledger selects the cheaper one by itself, in a commit that carries the order; the
meter's next sample confirms it. `make_ledger_vectors.py` drives it and writes it.
"""

from dataclasses import replace

from account_vectors import Accounts
from alliance_vectors import lone_member, pair, signed_by_meter
from make_vectors import EUI64, TIME_MS
from wattle_gateway.contracts.baseline import presets, rule_form
from wattle_gateway.ledger import crypto, entry, event_bodies, genesis, transaction
from wattle_gateway.ledger.account_bodies import Issue, Open
from wattle_gateway.ledger.event_bodies import Declare, Dispatch, Publish
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.ledger.market import Market
from wattle_gateway.ledger.offer_bodies import DOWN, OfferBody, OfferTerms
from wattle_gateway.ledger.transaction import Enrol, Point
from wattle_wire import cose, sample, uplink
from wattle_wire.sample import Reading, Sample

HOUSE, NEIGHBOUR = "house 7", "house 9"
INTERVAL_MS = 900_000
BEGIN_MS = (TIME_MS // INTERVAL_MS + 2) * INTERVAL_MS
SELECT_MS = BEGIN_MS - 300_000
ORDER_MS = SELECT_MS + 1_000
TERMS = OfferTerms(
    *("north/feeder-7/section-2", 7, DOWN, 2_000, "EUR", 90_000),
    *(2_000, 14_400_000, 0, 10_000, 1, 300),
)
EVENT = Publish(
    event_bodies.BID,
    False,
    "north",
    "north/feeder-7",
    DOWN,
    BEGIN_MS,
    2,
    1_000,
    300_000,
    SELECT_MS,
    5_000,
    40_000,
    100_000,
    50_000,
    rule_form.encode(presets.PRESETS["caiso-10-of-10"].rule),
    "EUR",
)


def example_genesis() -> genesis.Genesis:
    """A ledger of an aggregator under rules 3."""
    members = lone_member("aggregator", genesis.AGGREGATOR)
    constants = Constants(state_root_every=2, market=Market(history_events=5))
    return genesis.create("events.wattle", TIME_MS - 60_000, members, constants, rules=3)


class Called(Accounts):
    """What the three and a meter send, each with the time of its commit."""

    def timed(self) -> list[tuple[int, list[bytes]]]:
        """(Unix ms, the entries of a block)."""
        brought = [self._register(HOUSE), self._register(NEIGHBOUR)]
        money = [self._entry("", transaction.ISSUE, Issue("EUR", 2, self._kids[""], 10_000))]
        money += [self._entry(HOUSE, transaction.OPEN, Open("EUR"))]
        meter, enrol = self._enrol_both()
        far = replace(TERMS, area="north/feeder-9")
        offers = [
            self._built(HOUSE, transaction.OFFER, OfferBody(meter, 1, TERMS).row()),
            self._built(NEIGHBOUR, transaction.OFFER, OfferBody(meter, 2, far).row()),
        ]
        publish = self._built("", transaction.PUBLISH, EVENT.row())
        dear = self._built("", transaction.PUBLISH, replace(EVENT, quantity_w=10**9).row())
        unknown = self._built("", transaction.PUBLISH, replace(EVENT, asset="USD").row())
        event = self._digest(publish)
        declared = [
            self._declared(HOUSE, event, meter, 1, 80_000, (1_500, 1_400)),
            self._declared(NEIGHBOUR, event, meter, 2, 90_000, (1_500, 1_500)),
        ]
        order = self._built("", transaction.DISPATCH, Dispatch(event, 0, None).row())
        return [
            (TIME_MS, [*brought, *money]),
            (TIME_MS + 2_000, [enrol, *offers]),
            (TIME_MS + 4_000, [publish, dear, unknown]),
            (TIME_MS + 6_000, declared),
            (ORDER_MS, [order]),
            (ORDER_MS + 3_000, [self._sample(self._digest(order))]),
        ]

    def _enrol_both(self) -> tuple[bytes, bytes]:
        keys = [crypto.public_of(pair(name)) for name in ("meter", "meter link", "meter tls")]
        proof = uplink.encode_proof(EUI64, keys[0], keys[1], keys[2], 1, "file")
        message = signed_by_meter(self._epoch.ledger_id, "enrol", proof)
        points = tuple(
            Point(device, transaction.ELECTRICITY, 10_000, 2_000, (1, 1), (1, 1), 1, owner)
            for device, owner in ((1, self._kids[HOUSE]), (2, self._kids[NEIGHBOUR]))
        )
        body = transaction.enrol_body(Enrol(message, "demo", self._kids[""], (), 0, points))
        return cose.kid_of(keys[0]), self._built("", transaction.ENROL, body)

    def _declared(
        self,
        name: str,
        event: bytes,
        meter: bytes,
        device: int,
        price: int,
        quotas_w: tuple[int, int],
    ) -> bytes:
        body = Declare(event, meter, device, price, quotas_w).row()
        return self._built(name, transaction.DECLARE, body)

    def _sample(self, order: bytes) -> bytes:
        readings = [Reading(1, ORDER_MS + 2_000, "G", {"ei": 5_000, "p": 3_000})]
        content = Sample(EUI64, 1, 1, None, "S", readings, command=(order, 300))
        raw = signed_by_meter(self._epoch.ledger_id, "sample", sample.encode(content))
        return entry.encode(entry.SAMPLE, raw, self._epoch.constants.entry_bytes_max)
