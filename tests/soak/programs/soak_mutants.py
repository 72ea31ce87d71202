"""Faults planted in the firmware while it runs, to see that a soak finds them.

Each function replaces a part of wattle_meter; its name is the mutant's.
"""

from wattle_meter import bus, chain, clock, grid, journal, metering, outbox, reservation

EVERY = 25  # a fault that comes with every 25th sample


class _Count:
    """Says yes every `every`-th time it is asked."""

    def __init__(self, every=EVERY):
        self._every = every
        self._asked = 0

    def is_due(self):
        self._asked += 1
        return self._asked % self._every == 0


def outbox_drops_one():
    append, count = outbox.Outbox.append, _Count()

    def dropping(self, seq, *rest):
        if not count.is_due():
            append(self, seq, *rest)

    outbox.Outbox.append = dropping


def outbox_forgets_what_it_cannot_write():
    def flush(self):
        try:
            self._write()
        except OSError:
            while self._memory:
                self._forget_oldest()
            self._open = None

    outbox.Outbox.flush = flush


def seq_is_used_twice():
    take, count = reservation.Reservation.take, _Count()

    def again(self):
        if count.is_due():
            self._next -= 1
        return take(self)

    reservation.Reservation.take = again


def seqs_are_not_reserved():
    def take(self):
        seq = self._next
        self._next += 1
        return seq

    reservation.Reservation.take = take


def gaps_are_kept_secret():
    chain.Chain.declare = lambda self, first, to, reason: 0


def chain_skips_a_link():
    signed, count = chain.Chain.signed, _Count()

    def skipping(self, seq, digest):
        signed(self, seq, bytes(32) if count.is_due() else digest)

    chain.Chain.signed = skipping


def samples_are_altered():
    data, count = journal.Journal.data, _Count(5)

    def altered(self, seq):
        raw = data(self, seq)
        return raw[:-1] + b"\x00" if raw is not None and count.is_due() else raw

    journal.Journal.data = altered


def old_values_get_new_times():
    read, last = bus.Bus.read, {}

    async def repeating(self, unit, function, address, *rest):
        try:
            words = await read(self, unit, function, address, *rest)
        except bus.ModbusError:
            if address not in last:
                raise
            return last[address]
        last[address] = words
        return words

    bus.Bus.read = repeating


def readings_bear_another_slots_time():
    reading, count = metering.Metering._reading, _Count()

    def shifted(self, device, slot_ms, this):
        return reading(self, device, slot_ms + (1000 if count.is_due() else 0), this)

    metering.Metering._reading = shifted


def a_failed_reading_is_left_out():
    read_round = metering.Metering.read_round

    async def only_good(self, *rest):
        readings = await read_round(self, *rest)
        for reading in readings:
            for name in list(reading.values):
                if isinstance(reading.values[name], str):
                    del reading.values[name]
        return readings

    metering.Metering.read_round = only_good


def grid_leaves_out_a_slot():
    following, count = grid.Grid.next, _Count()

    def skipping(self, now_ms):
        found = following(self, now_ms)
        if found[0] is not None and count.is_due():
            return None, 1000, [], 0
        return found

    grid.Grid.next = skipping


def clock_boasts():
    clock.WallClock.state = lambda self, uptime_ms: "S"


def clock_is_never_set():
    clock.WallClock.answer = lambda self, uptime_ms, nonce, unix_ms: 0


def heap_leaks():
    signed, kept = chain.Chain.signed, []

    def keeping(self, seq, digest):
        kept.append(bytes(32))
        signed(self, seq, digest)

    chain.Chain.signed = keeping


def seen_runs_ahead():
    shown = chain.Chain.shown

    def boasting(self, commit_index, commit_digest):
        shown(self, commit_index + 1, commit_digest)

    chain.Chain.shown = boasting


def plant(name):
    """Plants the mutant `name`."""
    globals()[name]()
