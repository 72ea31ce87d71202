"""Which load is to be told what, and when; pure: clock, ledger and meters come in as calls.

The ledger gives a load one order an event; of orders of several events the load follows the one
that took effect last. It is told by the gateway that its meter is connected to, whichever that
is: its home as a rule, another one once it has moved. What the meter is known to do already it is
not told again; what a restart of it has undone is.
"""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

Point = tuple[bytes, int]
"""(meter kid, device)."""


@dataclass(frozen=True)
class PointOrder:
    """The order `digest` (32 bytes) of an `event` (digest), for one load: hold `watts` from
    `from_ms` until `until_ms`. `committed`: it is not only in a block so far. `confirmed`: a
    committed sample of its meter has named it."""

    event: bytes
    digest: bytes
    meter: bytes
    device: int
    watts: int
    from_ms: int
    until_ms: int
    committed: bool = True
    confirmed: bool = False

    @property
    def point(self) -> Point:
        """Whose load it is."""
        return self.meter, self.device


@dataclass(frozen=True)
class Command:
    """What to send to a meter now: `setpoint` as long as it `holds`, else `release`."""

    order: PointOrder
    holds: bool


@dataclass
class _Meter:
    """What is known of a meter: its `connection` here (8 bytes) or None, its highest `boot` (from
    1 on; 0: it has said nothing yet), whether its newest sample was of a clock that is set."""

    connection: bytes | None = None
    boot: int = 0
    has_time: bool = True
    points: set[Point] = field(default_factory=set)


@dataclass
class _Load:
    """`orders` by event; `told`: the order that the load follows as far as is known here;
    `undone`: digest of one that a restart of the meter ended, whatever the ledger says of it."""

    orders: dict[bytes, PointOrder] = field(default_factory=dict)
    told: PointOrder | None = None
    undone: bytes | None = None


class OrderBook:
    """The orders that are not over yet. It holds at most one for each load and event; both are
    limited by the ledger (`declarations_max`, `events_open_max`)."""

    def __init__(self, boots: Iterable[tuple[bytes, int]] = ()) -> None:
        """`boots`: (meter kid, highest boot number it has shown)."""
        self._meters = {kid: _Meter(boot=boot) for kid, boot in boots}
        self._loads: dict[Point, _Load] = {}
        self._times: list[tuple[int, Point]] = []
        self._early: set[bytes] = set()
        self._look: dict[Point, None] = {}

    @property
    def next_ms(self) -> int | None:
        """When `due` has something to look at by time alone (Unix ms), None: never. 0: now."""
        if self._look:
            return 0
        return self._times[0][0] if self._times else None

    def put(self, order: PointOrder) -> None:
        """An order, new or as it stands now: one that was withdrawn from ends sooner."""
        load = self._loads.setdefault(order.point, _Load())
        known = load.orders.get(order.event)
        if known is not None and known.digest == order.digest:
            if known.committed and not order.committed:
                return  # the block came here after the commit that has it
            # A load that follows it already goes on: its commit came later than its block.
            order = replace(order, from_ms=min(order.from_ms, known.from_ms))
        load.orders[order.event] = order
        if order.committed:
            self._early.discard(order.digest)
        else:
            self._early.add(order.digest)
        self._meters.setdefault(order.meter, _Meter()).points.add(order.point)
        told_otherwise = load.told is not None and load.told.event != order.event
        if order.confirmed and order.digest != load.undone and not told_otherwise:
            load.told = order
        if known is None or (known.from_ms, known.until_ms) != (order.from_ms, order.until_ms):
            for at_ms in (order.from_ms, order.until_ms):
                heapq.heappush(self._times, (at_ms, order.point))
        self._look[order.point] = None

    def drop(self, digest: bytes) -> None:
        """An order that no commit has accepted: whoever follows it is released."""
        if digest not in self._early:
            return
        self._early.discard(digest)
        for point, load in self._loads.items():
            for event, order in list(load.orders.items()):
                if order.digest == digest and not order.committed:
                    del load.orders[event]
                    self._look[point] = None

    def online(self, meter: bytes, connection: bytes) -> None:
        """A meter is connected to this gateway. On a new connection it is told again what it has
        not confirmed: that may have been lost on the old one."""
        known = self._meters.setdefault(meter, _Meter())
        if known.connection == connection:
            return
        known.connection = connection
        self._tell_again(known)

    def offline(self, meter: bytes) -> None:
        """A meter is not connected to this gateway any more."""
        known = self._meters.get(meter)
        if known is not None:
            known.connection = None

    def heard(
        self, meter: bytes, boot: int, command: tuple[bytes, int] | None, *, has_time: bool = True
    ) -> None:
        """A sound sample of a meter: its boot number, (digest, W) where it names an order, and
        whether its clock is set.

        After a restart its loads rest, whatever they were told before; and as long as its clock
        is not set it refuses setpoints, so it is told again when it is.
        """
        known = self._meters.setdefault(meter, _Meter())
        can_listen, known.has_time = has_time and not known.has_time, has_time
        if can_listen:
            self._tell_again(known)
        restarted, known.boot = 0 < known.boot < boot, max(boot, known.boot)
        if restarted:
            for point in known.points:
                load = self._loads[point]
                load.undone = load.told.digest if load.told is not None else load.undone
                load.told = None
                self._look[point] = None
        elif command is not None and boot == known.boot:
            self._confirm(known, *command)

    def _tell_again(self, meter: _Meter) -> None:
        """What its loads were told and have not confirmed may not have been heard."""
        for point in meter.points:
            load = self._loads[point]
            if load.told is not None and not load.told.confirmed:
                load.told = None
            self._look[point] = None

    def due(self, now_ms: int) -> list[Command]:
        """What is to be sent now, by rising point. Each command counts as sent; tell `failed`."""
        while self._times and self._times[0][0] <= now_ms:
            self._look[heapq.heappop(self._times)[1]] = None
        points, self._look = sorted(self._look), {}
        found = (self._command(point, now_ms) for point in points)
        return [command for command in found if command is not None]

    def failed(self, command: Command) -> None:
        """A command was not sent after all; it is due again, if it still makes sense then."""
        point = command.order.point
        load = self._loads.get(point)
        if load is not None and command.holds and load.told == command.order:
            load.told = None
            self._look[point] = None

    def _confirm(self, meter: _Meter, digest: bytes, watts: int) -> None:
        """A sample names no device. Of several loads that follow one order it means the one whose
        setpoint it repeats; if its limits gave it another, it will be told twice."""
        following = [
            load
            for point in meter.points
            if (load := self._loads[point]).told is not None and load.told.digest == digest
        ]
        for load in following:
            assert load.told is not None
            if len(following) == 1 or load.told.watts == watts:
                load.told = replace(load.told, confirmed=True)

    def _command(self, point: Point, now_ms: int) -> Command | None:
        load = self._loads.get(point)
        if load is None:
            return None
        for event, order in list(load.orders.items()):
            if order.until_ms <= now_ms:
                del load.orders[event]
        told, target = load.told, _in_force(load, now_ms)
        connected = self._meters[point[0]].connection is not None
        if target is None:
            load.told = None
            if not load.orders:
                self._forget(point)
            # Who is not connected releases by itself: the setpoint says until when it holds.
            return Command(told, False) if told is not None and connected else None
        if _same(told, target) or not connected:
            return None
        load.told = target
        return Command(target, True)

    def _forget(self, point: Point) -> None:
        del self._loads[point]
        self._meters[point[0]].points.discard(point)


def _in_force(load: _Load, now_ms: int) -> PointOrder | None:
    """The order that took effect last; of two in one moment that of the higher digest."""
    begun = [order for order in load.orders.values() if order.from_ms <= now_ms]
    return max(begun, key=lambda order: (order.from_ms, order.digest), default=None)


def _same(told: PointOrder | None, target: PointOrder) -> bool:
    """Whether a load that was told the one does what the other says. An end that has moved
    forward is told by `release`, when it has come."""
    return told is not None and (told.digest, told.watts) == (target.digest, target.watts)
