"""What meters say besides samples: that they are there (state), what they are (birth).

Hints only: nothing that counts on the ledger comes from here.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from wattle_wire import cbor, cose, downlink, topics, update, uplink
from wattle_wire.errors import WireError

from wattle_gateway.contracts.registry import Meter
from wattle_gateway.errors import StoreError
from wattle_gateway.ingest.acks import AckSender
from wattle_gateway.ingest.commands import CommandSender
from wattle_gateway.ingest.desk import Desk
from wattle_gateway.ingest.mqtt_link import Message
from wattle_gateway.ingest.updates import UpdateOffers
from wattle_gateway.ledger import crypto
from wattle_gateway.ledger.errors import LedgerError

# Health records are compared over twice the time between two of them: enough readings for a share.
COMPARED_MS = 600_000


@dataclass(frozen=True)
class Connection:
    """A meter's newest connection: its 8-byte id, when we heard of it (steady ms), if it holds."""

    id: bytes
    since_ms: int
    online: bool


class Presence:
    """Follows the connections of meters and answers what they ask."""

    def __init__(
        self,
        ledger_id: bytes,
        desk: Desk,
        acks: AckSender,
        commands: CommandSender,
        updates: UpdateOffers,
        now_ms: Callable[[], int],
        steady_ms: Callable[[], int],
        on_connection: Callable[[bytes, bytes | None], None],
    ) -> None:
        """`on_connection(meter kid, connection id)`: it is connected, None: no more."""
        self._ledger_id = ledger_id
        self._desk = desk
        self._acks = acks
        self._commands = commands
        self._updates = updates
        self._now_ms = now_ms
        self._steady_ms = steady_ms
        self._on_connection = on_connection
        self._meters: dict[bytes, Meter] = {}
        self._answers: set[asyncio.Task[None]] = set()
        self.connections: dict[bytes, Connection] = {}

    def set_meters(self, meters: dict[bytes, Meter]) -> None:
        """The registry as it stands."""
        self._meters = meters

    def take(self, site: str, meter_id: str, leaf: str, message: Message) -> None:
        """A state or birth has arrived on the topic of this site and meter."""
        message.done()
        meter = self._meters.get(topics.kid_of_meter(meter_id))
        if meter is None or meter.site != site:
            self._desk.count(f"{leaf}.not_enrolled")
            return
        try:
            if leaf == topics.STATE:
                self._state(meter, message.payload)
            elif leaf == topics.BIRTH:
                self._birth(meter, message.payload)
        except (WireError, LedgerError):
            self._desk.count(f"{leaf}.refused")
            self._desk.refuse(downlink.MALFORMED, self._now_ms(), message.topic, message.payload)

    def _state(self, meter: Meter, payload: bytes) -> None:
        online, connection, nonce, health, news = uplink.decode_state(payload)
        known = self.connections.get(meter.kid)
        is_new = known is None or known.id != connection
        now_ms = self._steady_ms()
        if not online:
            # A late will of an older connection says nothing about the present one.
            if known is not None and not is_new:
                self.connections[meter.kid] = replace(known, online=False)
                self._on_connection(meter.kid, None)
            return
        if is_new:
            previous_ms = None if known is None else now_ms - known.since_ms
            self._desk.connected(meter.kid, self._now_ms(), previous_ms)
        since_ms = now_ms if known is None or is_new else known.since_ms
        self.connections[meter.kid] = Connection(connection, since_ms, True)
        self._on_connection(meter.kid, connection)
        self._updates.heard(meter, news)
        if news is None or news[1] != update.RECEIVING:  # that state asks for a chunk, no more
            self._acks.remind(meter.kid)
        if health is not None:
            self._health(meter.kid, cbor.encode(health.record))
        if nonce is not None:
            answer = asyncio.create_task(self._give_time(meter, nonce))
            self._answers.add(answer)
            answer.add_done_callback(self._answers.discard)

    async def _give_time(self, meter: Meter, nonce: bytes) -> None:
        try:
            given = await self._commands.give_time(meter, nonce, self._steady_ms())
        except StoreError:
            given = False  # it asks again
        self._desk.count("time.given" if given else "time.not_given")

    def _health(self, meter: bytes, record: bytes) -> None:
        known, now_ms = self._desk.of(meter), self._now_ms()
        if record == known.health:
            return  # the broker has kept it, and gives it again
        before_ms, before = known.before_ms, known.health_before
        if known.health is not None and now_ms - before_ms >= COMPARED_MS:
            before_ms, before = known.health_ms, known.health
        self._desk.note(
            replace(
                known,
                at_ms=now_ms,
                health_ms=now_ms,
                health=record,
                before_ms=before_ms,
                health_before=before,
            )
        )

    def _birth(self, meter: Meter, payload: bytes) -> None:
        signed = cose.parse_sign1("birth", self._ledger_id, payload)
        if signed.kid != meter.kid:
            raise LedgerError("a birth by another key")
        crypto.verify(meter.signing_key, signed.digest, signed.signature)
        uplink.decode_birth(signed.payload)
        self._desk.count("births")
        self._acks.remind(meter.kid)
        known = self._desk.of(meter.kid)
        self._desk.note(replace(known, at_ms=self._now_ms(), birth=signed.payload))
