"""From look to look: what begins, what ends, how often, and what is shown of it."""

from typing import Any

from wattle_gateway.resources import steps
from wattle_gateway.resources.growth import Forecast
from wattle_gateway.resources.steward import Steward, as_row
from wattle_gateway.resources.usage import (
    MACHINE,
    MIB,
    MILLION,
    CpuUse,
    MemoryUse,
    Usage,
    disk_use,
)
from wattle_testkit.gateway_reading import LIVE


def usage(room_mib: int, cpu: bool = True) -> Usage:
    return Usage(
        disk_use(used=1_000 * MIB, free=room_mib * MIB, budget=0),
        MemoryUse(1, 100, 1, MACHINE, None),
        CpuUse(1, MILLION, MACHINE, None) if cpu else None,
    )


def test_a_step_begins_once_and_ends_once() -> None:
    steward = Steward()
    assert steward.look(usage(1_000)).began == ()
    low = steward.look(usage(400))
    assert (low.began, low.ended, low.rose) == (("archive",), (), ("disk",))
    assert low.active == {"archive": ["disk"]}
    same = steward.look(usage(400))
    assert (same.began, same.ended, same.rose, same.fell) == ((), (), (), ())
    full = steward.look(usage(5))
    assert set(full.began) == {"shed_observers", "slow_pace", "refuse_meters", "refuse_samples"}
    well = steward.look(usage(1_000))
    assert set(well.ended) == {"archive", *full.began}
    assert (well.began, well.fell) == ((), ("disk",))
    steward.look(usage(400))
    assert steward.taken["archive"] == 2
    assert steward.taken["refuse_samples"] == 1
    assert set(steward.taken) == set(steps.NAMES)


def shape(row: Any) -> Any:
    """The names of a row and of the rows in it."""
    return {name: shape(inner) for name, inner in row.items()} if isinstance(row, dict) else None


def test_what_is_shown_is_what_tests_of_metrics_take_it_to_be() -> None:
    steward = Steward()
    steward.look(usage(400))
    made = as_row(usage(400), Forecast(1, 2, None), steward, "done")
    assert LIVE.resources is not None
    for name in ("disk", "memory", "cpu"):
        assert shape(made[name]) == shape(LIVE.resources[name])
    assert set(made) == set(LIVE.resources)
    assert (made["steps"], made["disk"]["level"]) == ({"archive": ["disk"]}, 1)


def test_cpu_is_not_shown_before_it_is_known() -> None:
    steward = Steward()
    steward.look(usage(1_000, cpu=False))
    row = as_row(usage(1_000, cpu=False), Forecast(None, None, 5), steward, "")
    assert row["cpu"] is None
    assert row["disk"]["known_from_ms"] == 5
