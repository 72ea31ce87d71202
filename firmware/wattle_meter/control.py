"""The adjustable loads of a meter: commands in, register writes and relays out.

Writes are made by the task that reads the devices, in the gaps that its rounds leave: none delays
a reading (read_plan).
"""

from wattle_wire import downlink, structure

from wattle_meter.board import INFO, WARNING, Board, Relay
from wattle_meter.bus import Bus, LineLostError
from wattle_meter.clock import UNSYNCHRONISED, WallClock
from wattle_meter.commands import CommandError
from wattle_meter.load import LoadType
from wattle_meter.modbus import ExceptionResponse, LineBusyError, ModbusError
from wattle_meter.setpoint import Setpoint

# How often is looked for a setpoint that is due: a twentieth of the second that it may take.
LOOK_MS = 50


class Load:
    """The load of device `number`: at `unit` of the line, or on `relay`. `write_ms`: what a write
    takes; `counts`: its outcomes.
    """

    def __init__(
        self,
        number: int,
        kind: LoadType,
        setpoint: Setpoint,
        unit: int,
        relay: Relay | None,
        write_ms: int,
    ) -> None:
        self.number = number
        self.kind = kind
        self.setpoint = setpoint
        self.unit = unit
        self.relay = relay
        self.write_ms = write_ms
        self.failing = False
        self.counts = {"writes": 0, "refused": 0, "failed": 0}


class Control:
    """`hold_ms`: how long (real time) a setpoint is held while no gateway is heard."""

    def __init__(
        self, board: Board, wall: WallClock, bus: Bus, loads: list[Load], hold_ms: int
    ) -> None:
        self.loads = loads
        self._board = board
        self._wall = wall
        self._bus = bus
        self._hold_ms = hold_ms
        self._heard_at = board.clock.ticks_ms()
        self._telling: Load | None = None

    # ---- link

    def heard(self) -> None:
        """A gateway said something authentic and new."""
        self._heard_at = self._board.clock.ticks_ms()

    def take(self, kind: int, body: list[object]) -> None:
        """Takes a `setpoint` or `release` command. Raises CommandError, WireError."""
        uptime_ms = self._board.uptime_ms()
        if self._wall.state(uptime_ms) == UNSYNCHRONISED:
            raise CommandError("setpoint or release while the clock is U")
        digest = structure.octets(body[0], 32, "transaction digest")
        number = structure.uint(body[1], "device")
        for load in self.loads:
            if load.number == number:
                break
        else:
            raise CommandError("device %d has no load" % number)
        if kind == downlink.RELEASE:
            load.setpoint.release(digest)
            return
        watts = structure.integer(body[2], "setpoint W")
        until_ms = structure.uint(body[3], "valid until")
        left_ms = until_ms - self._wall.now_ms(uptime_ms)
        if left_ms <= 0:
            raise CommandError("setpoint expired %d ms ago" % -left_ms)
        load.setpoint.command(digest, watts, until_ms, left_ms, uptime_ms)

    # ---- line and relays

    async def step(self, until: int) -> bool:
        """Brings one setpoint to its load if one is due and the line is free again at tick
        `until`; False if there was none.
        """
        now_ms = self._board.uptime_ms()
        self._end_commands(now_ms)
        for load in self.loads:
            watts = load.setpoint.due(now_ms)
            if watts is None:
                continue
            if load.relay is None and (
                self._board.clock.ticks_ms() + load.write_ms > until
                or self._bus.expects_late_answer(load.unit)
            ):
                continue
            await self._write(load, watts, until)
            return True
        return False

    async def _write(self, load: Load, watts: int, until: int) -> None:
        setpoint = load.setpoint
        kind = load.kind
        load.counts["writes"] += 1
        try:
            if load.relay is not None:
                load.relay.switch(watts != 0)
            else:
                words = kind.words(watts)
                await self._bus.write(
                    load.unit,
                    kind.function,
                    kind.address,
                    words,
                    kind.answer_timeout_ms,
                    kind.pause_ms,
                    until,
                )
        except (ExceptionResponse, LineBusyError) as error:
            load.counts["refused"] += 1
            setpoint.refused(self._board.uptime_ms())
            self._failed(load, error)
        except (ModbusError, LineLostError, OSError) as error:
            load.counts["failed"] += 1
            setpoint.lost(watts, self._board.uptime_ms())
            self._failed(load, error)
        else:
            setpoint.acknowledged(watts, self._board.uptime_ms())
            load.failing = False

    def _failed(self, load: Load, error: Exception) -> None:
        """Says so once, not at every further try."""
        if not load.failing:
            self._board.log(WARNING, "load of device %d: %s" % (load.number, error))
        load.failing = True

    def _end_commands(self, now_ms: int) -> None:
        lost = self._board.clock.ticks_ms() - self._heard_at >= self._hold_ms
        for load in self.loads:
            if not load.setpoint.holds():
                continue
            if lost or load.setpoint.has_expired(self._wall.now_ms(now_ms), now_ms):
                why = "no gateway is heard" if lost else "its setpoint has expired"
                self._board.log(INFO, "load of device %d rests: %s" % (load.number, why))
                load.setpoint.end()

    # ---- samples

    def confirmation(self) -> tuple[bytes, int] | None:
        """What the next sample says (SPEC section 5, 0/cmd); told() must follow if it did."""
        for load in self.loads:
            row = load.setpoint.confirmation()
            if row is not None:
                self._telling = load
                return row
        return None

    def told(self, row: tuple[bytes, int]) -> None:
        """The newest confirmation(), `row`, stands in a sample that is signed."""
        load = self._telling
        if load is not None:
            load.setpoint.told(row)
            self.loads.remove(load)  # the others come first now: a long ramp is told every time
            self.loads.append(load)

    def figures(self) -> dict[str, object]:
        """By device number: the setpoint reached and the outcomes of writes."""
        result: dict[str, object] = {}
        for load in self.loads:
            row: dict[str, object] = dict(load.counts)
            row["reached_w"] = load.setpoint.reached
            result[str(load.number)] = row
        return result
