"""A point with an adjustable capacity and what the state keeps of its use, without a ledger."""

from collections.abc import Sequence
from dataclasses import replace

from wattle_gateway.contracts import usage
from wattle_gateway.contracts.baseline.series import EnergySeries
from wattle_gateway.contracts.measurement.energy import Metering
from wattle_gateway.contracts.registry import Meter
from wattle_gateway.contracts.state import State, StateRows, prefix
from wattle_gateway.contracts.usage import Measured
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.ledger.market import Market
from wattle_gateway.ledger.transaction import Point
from wattle_wire.sample import Reading, Sample

from wattle_testkit.alliance import Board, epoch_of


def market_epoch(**parameters: int) -> Epoch:
    """Epoch 0 of rules 3, with other market parameters than those of a new ledger."""
    market = replace(Market(), **parameters)  # type: ignore[arg-type]
    return epoch_of(constants=Constants(market=market), rules=3)


class MeteredPoint:
    """Point 1 of a meter; every sample is a commit of its own."""

    def __init__(
        self, epoch: Epoch, *, capacity_w: int = 5_000, rows: StateRows | None = None
    ) -> None:
        assert epoch.constants.market is not None
        self.epoch = epoch
        self.market: Market = epoch.constants.market
        board = Board("metered", epoch)
        point: Point = replace(board.point(1), capacity_w=capacity_w)
        self.meter = Meter(
            board.kid, board.eui64, bytes(65), bytes(65), bytes(65), 1, "file", "site",
            board.kid, (), 0, (point,), None,
        )  # fmt: skip
        self.rows = StateRows() if rows is None else rows

    @property
    def state(self) -> State:
        """The state after the newest sample."""
        return State(self.rows)

    @property
    def metering(self) -> Metering:
        """How the ledger knows the point to be metered."""
        return usage.metering(self.rows, self.meter, 1)

    def take(self, readings: Sequence[Reading], time_ms: int, verdict: int = 0) -> None:
        """A sample with these readings takes effect at a commit time."""
        state = self.state
        sample = Sample(self.meter.eui64, 1, 1, None, "S", list(readings))
        usage.take(state, self.meter, sample, verdict, time_ms, self.epoch)
        for row, value in state.changes():
            if value is None:
                del self.rows[row]
            else:
                self.rows[row] = value

    def measured(
        self, begin_ms: int, end_ms: int, metering: Metering | None = None
    ) -> tuple[Measured, ...]:
        """The intervals between two times."""
        told = metering or self.metering
        return usage.measured(self.rows, self.meter, 1, told, begin_ms, end_ms, self.market)

    def series(self, begin_ms: int, end_ms: int) -> EnergySeries:
        """The same for a baseline."""
        return usage.series(self.rows, self.meter, 1, self.metering, begin_ms, end_ms, self.market)

    def tables(self) -> dict[str, int]:
        """How many rows there are of each table."""
        return {
            table: len(self.state.rows(prefix(table, ids)))
            for table, ids in (("usage", 3), ("day", 3), ("span", 2))
        }
