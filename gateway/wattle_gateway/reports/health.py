"""How meters are, by what they say in their `state` (SPEC section 7), and what is wrong with them.

A hint for whoever looks after them: nobody has signed it. What counts stands in the samples.
"""

from dataclasses import dataclass, field

from wattle_wire import cbor
from wattle_wire.health import BUS_OUTCOMES, RESET_CAUSES, Health

from wattle_gateway.store.operation_rows import Seen

# A meter says how it is every 5 minutes: two records may be lost before its silence is told.
SILENT_MS = 15 * 60_000
# A signature leaves 27 kB of garbage and needs a third of it at once (firmware/DECISIONS.md).
HEAP_FREE_MIN = 8_192
# Below this the throughput of 802.11 falls apart; a meter needs little, but every day.
RSSI_DBM_MIN = -80
# A start that nobody asked for is news for a day.
RESTARTED_S = 86_400
_NO_NEWS_CAUSES = ("power", "asked")
# One failed reading in twenty is more than the noise of a sound line.
FAILED_PERCENT = 5
# Ten minutes of samples at one a second: a gateway that commits leaves a few seconds.
WAITING_MAX = 600


@dataclass(frozen=True)
class MeterHealth:
    """One meter's newest record. `at_ms` when it came; `rssi_dbm` None without a radio; counts as
    in SPEC section 7, since the start; `complaints` what an operator should look at, worst first.
    """

    at_ms: int
    uptime_s: int
    heap_free: int
    reset_cause: str
    resets: dict[str, int]
    rssi_dbm: int | None
    waiting: int
    flash_bytes: int
    write_failed: int
    dropped: int
    bus: dict[str, int]
    rounds: int
    failed_readings: int
    missed_slots: int
    unsaved: int
    restarts: int
    connections: int
    resent: int
    devices: dict[int, tuple[int, int]]
    complaints: list[str] = field(default_factory=list)


def read(seen: Seen, now_ms: int | None) -> MeterHealth | None:
    """What is known of a meter; None if it never said how it is.

    At `now_ms` (Unix ms of a gateway that listens; None: its silence says nothing).
    """
    if seen.health is None:
        return None
    newest = Health(cbor.decode(seen.health))
    before = None if seen.health_before is None else Health(cbor.decode(seen.health_before))
    complaints = []
    if now_ms is not None and now_ms - seen.health_ms >= SILENT_MS:
        complaints.append(f"said nothing for {(now_ms - seen.health_ms) // 60_000} min")
    return MeterHealth(
        at_ms=seen.health_ms,
        uptime_s=newest.uptime_s,
        heap_free=newest.heap_free,
        reset_cause=RESET_CAUSES[newest.reset_cause],
        resets=dict(zip(RESET_CAUSES, newest.resets, strict=True)),
        rssi_dbm=newest.rssi_dbm,
        waiting=newest.waiting,
        flash_bytes=newest.flash_bytes,
        write_failed=newest.write_failed,
        dropped=newest.dropped,
        bus=dict(zip(BUS_OUTCOMES, newest.bus, strict=True)),
        rounds=newest.rounds,
        failed_readings=newest.failed_readings,
        missed_slots=newest.missed_slots,
        unsaved=newest.unsaved,
        restarts=newest.restarts,
        connections=newest.connections,
        resent=newest.resent,
        devices=dict(newest.devices),
        complaints=complaints + complaints_of(newest, before),
    )


def complaints_of(newest: Health, before: Health | None) -> list[str]:
    """What is wrong by the newest record and an earlier one, whose counts are taken off.

    An earlier one of another life (its uptime is higher) is not looked at.
    """
    if before is not None and before.uptime_s > newest.uptime_s:
        before = None
    return _of_itself(newest, before) + _of_the_line(newest, before)


def _of_itself(newest: Health, before: Health | None) -> list[str]:
    found = []
    cause = RESET_CAUSES[newest.reset_cause]
    if cause not in _NO_NEWS_CAUSES and newest.uptime_s < RESTARTED_S:
        times = newest.resets[newest.reset_cause]
        found.append(f"started anew {newest.uptime_s // 60} min ago: {cause} ({times} times)")
    if newest.heap_free < HEAP_FREE_MIN:
        found.append(f"memory: {newest.heap_free} bytes free")
    if newest.rssi_dbm is not None and newest.rssi_dbm < RSSI_DBM_MIN:
        found.append(f"weak signal: {newest.rssi_dbm} dBm")
    if newest.waiting > WAITING_MAX:
        found.append(f"{newest.waiting} samples not final")
    for name, text in (
        ("write_failed", "writes to flash failed"),
        ("dropped", "samples lost: outbox full"),
        ("unsaved", "samples not kept"),
        ("restarts", "tasks failed"),
    ):
        count = getattr(newest, name) - (0 if before is None else getattr(before, name))
        if count > 0:
            found.append(f"{count} {text}")
    return found


def _of_the_line(newest: Health, before: Health | None) -> list[str]:
    found = []
    rounds = newest.rounds - (0 if before is None else before.rounds)
    missed = newest.missed_slots - (0 if before is None else before.missed_slots)
    for number, (failed, frozen) in newest.devices.items():
        earlier = (0, 0) if before is None else before.devices.get(number, (0, 0))
        if frozen > earlier[1]:
            found.append(f"device {number}: counter stands still")
        if (failed - earlier[0]) * 100 > FAILED_PERCENT * rounds:
            found.append(f"device {number}: {failed - earlier[0]} reads failed in {rounds} rounds")
    if missed * 100 > FAILED_PERCENT * (rounds + missed):
        found.append(f"{missed} of {rounds + missed} slots missed")
    for outcome, text in (("foreign", "another master on the line"), ("line", "line gone")):
        at = BUS_OUTCOMES.index(outcome)
        if newest.bus[at] > (0 if before is None else before.bus[at]):
            found.append(text)
    return found
