"""The gateways of a soak and the ledger they share: who holds what, and the acks that follow.

What is final is what SPEC section 12 says of runs and gaps, on a set of seqs instead of runs.
"""

from collections.abc import Callable
from hashlib import sha256
from random import Random

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from wattle_gateway.ledger import crypto
from wattle_gateway.pki import keys
from wattle_wire import cose, downlink, topics
from wattle_wire.downlink import Ack

from wattle_testkit.soak import sample_view
from wattle_testkit.soak.agenda import Agenda
from wattle_testkit.soak.broker import Session
from wattle_testkit.soak.plan import Weather
from wattle_testkit.soak.record import Record

FIRST_SEQ = 1
COMMIT_EVERY_MS = 2_000
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class Ledger:
    """`covered`: seqs that are in it or declared as lost there, above `final`."""

    def __init__(self) -> None:
        self.index = 0
        self.final = FIRST_SEQ - 1
        self.covered: set[int] = set()

    @property
    def digest(self) -> bytes:
        """Of the newest commit."""
        return sha256(b"commit %d" % self.index).digest()

    def commit(self, entries: dict[int, sample_view.SampleView]) -> None:
        """Takes samples by seq into one commit."""
        self.index += 1
        for seq, entry in entries.items():
            self.covered.add(seq)
            for first, to, _ in entry.gaps:
                self.covered.update(range(max(first, self.final + 1), to + 1))
        while self.final + 1 in self.covered:
            self.final += 1
        self.covered = {seq for seq in self.covered if seq > self.final}


class Meter:
    """What a gateway knows of the meter: link keys are made of its stored ones."""

    def __init__(self, signing: bytes, link: bytes) -> None:
        self.signing_public = crypto.public_of(_pair(signing))
        self.kid = cose.kid_of(self.signing_public)
        self.link_public = crypto.public_of(_pair(link))


class Gateway:
    """Gateway `number` (0 or 1): takes samples, puts them on `ledger`, and acks."""

    def __init__(
        self,
        number: int,
        ledger: Ledger,
        agenda: Agenda,
        weather: Weather,
        random: Random,
        record: Record,
        unix_ms: Callable[[], int],
    ) -> None:
        self.number = number
        self.link = _pair(random.randbytes(31))
        self.link_public = crypto.public_of(self.link)
        self.session: Session | None = None
        self.meter: Meter | None = None
        self._ledger = ledger
        self._agenda = agenda
        self._weather = weather
        self._random = random
        self._record = record
        self._unix_ms = unix_ms
        self._held: dict[int, sample_view.SampleView] = {}  # above final
        self._counter = 0
        self._acked: tuple[int, int, list[list[int]], int] | None = None
        self._last_ack = b""

    def published(self, session: Session, leaf: str, payload: bytes) -> None:
        """A message that the broker passes on."""
        self.session = session
        if leaf == topics.SAMPLE:
            self._record.delivered.append((self._agenda.now_ms, self.number, payload))
            if self._has("busy"):
                seq = sample_view.sample(cbor2.loads(payload).value[2]).seq
                self._ack([[seq, downlink.BUSY]])
                return
            found = sample_view.sample(cbor2.loads(payload).value[2])
            if found.seq > self._ledger.final:
                self._held[found.seq] = found
        elif leaf == topics.STATE:
            self._state(payload)

    def to_commit(self) -> dict[int, sample_view.SampleView]:
        """What it would put on the ledger now."""
        if self._has("hoarding"):
            return {}
        covered = self._ledger.covered
        return {seq: held for seq, held in self._held.items() if seq not in covered}

    def committed(self) -> None:
        """There is a new commit, or might be."""
        final = self._ledger.final
        self._held = {seq: held for seq, held in self._held.items() if seq > final}
        if self._summary() != self._acked:
            self._ack([])

    def resend(self) -> None:
        """Asks for something again that it may have had long ago."""
        to = max(FIRST_SEQ, self._ledger.final - self._random.randint(-5, 50))
        self._command(downlink.RESEND, [max(FIRST_SEQ, to - self._random.randint(0, 20)), to])

    def forge(self) -> None:
        """Somebody else sends bytes that look like an ack."""
        if self.session is not None and self._last_ack:
            at = self._random.randrange(len(self._last_ack))
            garbage = bytearray(self._last_ack)
            garbage[at] ^= 1 << self._random.randrange(8)
            self.session.publish(topics.ACK, bytes(garbage))

    def _has(self, kind: str) -> bool:
        return self._weather.has(kind, self.number)

    def _state(self, payload: bytes) -> None:
        online, _, *rest = cbor2.loads(payload)
        if not online:
            return
        self._ack([])
        if rest and rest[0] is not None and not self._weather.has("no_time"):
            # A gateway looks at its clock and answers at once; the network takes its time.
            self._command(downlink.TIME, [rest[0], self._unix_ms()])
            self._record.clock_told.append((self._agenda.now_ms, self._unix_ms()))

    def _summary(self) -> tuple[int, int, list[list[int]], int]:
        """(final, durable, missing, commit index) as an ack has them."""
        final = self._ledger.final
        known = sorted(seq for seq in self._ledger.covered | set(self._held) if seq > final)
        durable = final
        missing: list[list[int]] = []
        last = final
        for seq in known:
            if seq == last + 1 and not missing:
                durable = seq
            elif seq > last + 1:
                missing.append([last + 1, seq - 1])
            last = seq
        return final, durable, missing[: downlink.MISSING_MAX], self._ledger.index

    def _ack(self, refused: list[list[int]]) -> None:
        if self.session is None or self._has("acks_withheld"):
            return
        final, durable, missing, index = summary = self._summary()
        self._acked = summary
        ack = Ack(final, durable, missing, refused, index, self._ledger.digest)
        self._record.shown.setdefault(
            self._ledger.index, (self._agenda.now_ms, ack.commit_digest[:16])
        )
        self._last_ack = self._send(topics.ACK, downlink.encode_ack(ack))

    def _command(self, kind: int, body: list[object]) -> None:
        if self.session is not None:
            self._counter = max(self._counter + 1, self._unix_ms())
            payload = downlink.encode_command(self._counter, kind, body)
            self._send(topics.CMD, payload)

    def _send(self, leaf: str, payload: bytes) -> bytes:
        assert self.meter is not None
        assert self.session is not None
        kid = cose.kid_of(self.link_public)
        secret = keys.shared_x(self.link, self.meter.link_public)
        ledger_id = self._record.ledger_id
        raw = cose.mac0(
            leaf, ledger_id, kid, payload, cose.link_key(secret, ledger_id, self.meter.kid, kid)
        )
        self.session.publish(leaf, raw)
        return raw


def _pair(private: bytes) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(private, "big") % _P256_ORDER, ec.SECP256R1())
