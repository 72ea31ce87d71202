"""The meter's own samples, from the reserved seq to `final`: one owner for numbers, chain and
outbox, so that no path can use a seq without either keeping its sample or declaring its gap.

Sampling puts readings in, the link takes samples out; they share nothing else.
"""

from wattle_wire import sample
from wattle_wire.downlink import Ack
from wattle_wire.sample import GAP_ABSENT, GAP_DAMAGED, GAP_FULL, GAP_RESTART, Reading

from wattle_meter import packing
from wattle_meter.acks import Held
from wattle_meter.board import Clock, Store
from wattle_meter.chain import Chain
from wattle_meter.outbox import Outbox
from wattle_meter.reservation import Reservation
from wattle_meter.signer import Signer, seal

FIRST_SEQ = 1  # of a new key; stands in the enrolment proof
_LAST = "last"  # seq (8 bytes) and digest of the newest sample at a clean stop
_LAST_BYTES = 40


class Journal(Held):
    """Samples by seq. `newest`: the highest seq whose sample is kept or declared lost."""

    def __init__(
        self, eui64: bytes, ledger_id: bytes, signer: Signer, store: Store, outbox: Outbox
    ) -> None:
        """Starts a life: what an unclean stop lost is declared.

        Raises ReservationError, OSError.
        """
        self._ledger_id = ledger_id
        self._signer = signer
        self._store = store
        self._outbox = outbox
        self._reservation = Reservation(store, FIRST_SEQ, outbox.last)
        self.boot = self._reservation.boot
        self.newest = self._reservation.next_seq - 1
        self.chain = Chain(eui64, self.boot, self._last_before())
        self._found: tuple[int, bytes | bytearray] | None = None
        if self._reservation.lost is not None:
            first, to = self._reservation.lost
            self.chain.declare(first, to, GAP_RESTART)

    # ---- sampling

    async def record(
        self,
        readings: list[Reading],
        clock_state: str,
        clock: Clock,
        link_up: bool,
        command: tuple[bytes, int] | None = None,
    ) -> int:
        """Signs and keeps a sample of `readings`; gives its seq. `command`: its `0/cmd`.

        Raises OSError if no seq can be reserved: then nothing was used. Raises WireError for
        readings that no sample can hold: their seq is declared lost.
        """
        for first, to in self._outbox.take_lost():
            self.chain.declare(first, to, GAP_FULL)
        seq = self._reservation.take()
        kept = False
        try:
            content = self.chain.sample(seq, clock_state, readings)
            content.command = command
            payload = sample.encode(content)
            raw, digest = await seal(self._signer, "sample", self._ledger_id, payload, clock)
            data, packed = (raw, False) if link_up else await _packed(raw, clock)
            self._outbox.append(seq, data, clock.ticks_ms(), link_up, packed)
            self.chain.signed(seq, digest)
            kept = True
        finally:
            if not kept:
                self.chain.declare(seq, seq, GAP_RESTART)
            self.newest = seq
        return seq

    def service(self, now_ms: int, link_up: bool) -> None:
        """Moves to flash what should not wait any longer; call about once a second."""
        self._outbox.service(now_ms, link_up)

    # ---- link

    def next_held(self, seq: int) -> int | None:
        """The lowest seq kept at or above `seq`, or None. Raises OSError."""
        if self._found is None or self._found[0] != seq:
            self._found = self._outbox.read_from(seq)
        return None if self._found is None else self._found[0]

    def data(self, seq: int) -> bytes | bytearray | None:
        """The signed bytes of `seq`, None if they are not kept or not sound. Raises OSError."""
        found, self._found = self._found, None  # it is sent once: no need to keep it in memory
        if found is not None and found[0] == seq:
            return found[1]
        return self._outbox.get(seq)

    def samples_wait(self) -> bool:
        """Whether something that was kept or declared is not final."""
        last = self._outbox.last
        return bool(self.chain.gaps) or (last is not None and last > self.chain.final)

    def acked(self, ack: Ack) -> bool:
        """Takes an ack that moves forward; True if `final` rose."""
        rose = ack.final > self.chain.final
        self.chain.passed(ack.final)
        self.chain.shown(ack.commit_index, ack.commit_digest)
        self._outbox.confirm_final(ack.final)
        return rose

    def absent(self, first: int, to: int) -> None:
        """A gateway misses `first` .. `to`, and they are not kept."""
        self.chain.declare(first, to, GAP_ABSENT)

    def damaged(self, seq: int) -> None:
        """The stored bytes of `seq` are not what was signed."""
        self.chain.declare(seq, seq, GAP_DAMAGED)

    # ---- end

    def stop(self) -> bool:
        """A clean end: everything is on flash and the next life goes on without a gap.

        False if something could not be written: then the next life treats this as a crash.
        """
        failed = self._outbox.counts["write_failed"]
        self._outbox.flush()
        if self._outbox.counts["write_failed"] != failed:
            return False
        try:
            if self.chain.last is not None:
                seq, digest = self.chain.last
                self._store.set(_LAST, seq.to_bytes(8, "big") + digest)
            self._reservation.stop()
        except OSError:
            return False
        return True

    def counts(self) -> dict[str, int]:
        """Counters of the outbox and what it holds, for status."""
        result = dict(self._outbox.counts)
        first, last = self._outbox.first, self._outbox.last
        result["outbox_first"] = first or 0
        result["outbox_last"] = last or 0
        result["outbox_flash_bytes"] = self._outbox.flash_bytes()
        result["gaps"] = len(self.chain.gaps)
        return result

    def _last_before(self) -> tuple[int, bytes] | None:
        """The end of the chain of a life that stopped cleanly."""
        record = self._store.get(_LAST)
        if record is None or len(record) != _LAST_BYTES:
            return None
        seq = int.from_bytes(record[:8], "big")
        if seq != self.newest:
            return None
        return seq, record[8:]


async def _packed(raw: bytes, clock: Clock) -> tuple[bytes, bool]:
    """What flash shall hold of a sample, and whether that is packed; lets other tasks run."""
    packed = raw
    for step in packing.pack_steps(raw):
        if step is not None:
            packed = step
        await clock.sleep_ms(0)
    return (packed, True) if len(packed) < len(raw) else (raw, False)
