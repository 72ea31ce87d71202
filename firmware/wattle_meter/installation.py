"""From the configuration's devices and their profile files to what can be read in rounds."""

from wattle_meter import load, profile, read_plan
from wattle_meter.config import Config, DeviceConfig, LoadConfig
from wattle_meter.errors import MeterError
from wattle_meter.line import Line
from wattle_meter.load import LoadType
from wattle_meter.metering import Device
from wattle_meter.profile import Profile


class InstallationError(MeterError):
    """Devices that cannot share a line, or not at this interval."""


class Installation:
    """`devices` by rising number, the `line` they share, the `slots` of a round and how far a
    read may run beyond its own (`lateness_ms`), and `described`: the device maps of the birth
    message (SPEC section 7). `round_ms`: what a round without failures takes on the line. `loads`
    lists (row of the configuration, its type, least W, most W).
    """

    def __init__(self, config: Config, folder: str, speed: int = 1) -> None:
        """Reads the files in `profiles` and `loads` in the board's `folder`.

        `speed` > 1 on a bench: the interval is in bench time, the line in real time. Raises
        InstallationError, FieldError, FileTooLargeError, PlanError; OSError.
        """
        self.devices: list[Device] = []
        self.described: list[dict[str, object]] = []
        known: dict[str, tuple[Profile, bytes]] = {}
        plans = []
        for row in config.devices:
            if row.profile not in known:
                known[row.profile] = profile.load(folder + "/profiles/" + row.profile + ".json")
            found, digest = known[row.profile]
            quantities = row.quantities or sorted(found.registers)
            reads = read_plan.plan_reads(found, quantities)
            plans.append((found, reads))
            self.devices.append(Device(row.number, row.unit, found, reads))
            self.described.append(_described(row, found, digest, quantities))
        for found, _ in known.values():
            found.registers = {}  # the reads hold those they need; a heap is small
        self.loads = [_load(row, folder) for row in config.loads]
        lines = [(row.profile, known[row.profile][0].line) for row in config.devices]
        lines += [(row.load, kind.line) for row, kind, _, _ in self.loads if kind.line is not None]
        self.line = config.line or _common_line(lines)
        interval_ms = config.interval_ms // speed
        writes = [kind.write_ms(self.line) for _, kind, _, _ in self.loads if kind.function]
        self.slots, self.round_ms = read_plan.plan_round(
            plans, self.line, interval_ms, max(writes, default=0)
        )
        self.lateness_ms = read_plan.lateness_ms(interval_ms)


def _described(
    row: DeviceConfig, found: Profile, digest: bytes, quantities: list[str]
) -> dict[str, object]:
    return {
        "ct": row.ct,
        "d": row.number,
        "digest": digest,
        "orient": row.orient,
        "profile": found.name,
        "q": quantities,
        "unit": row.unit,
        "vt": row.vt,
    }


def _load(row: LoadConfig, folder: str) -> tuple[LoadConfig, LoadType, int, int]:
    """`row` with its type and its own limits. Raises FieldError, FileTooLargeError, OSError."""
    kind = load.load(folder + "/loads/" + row.load + ".json")
    if (row.relay is None) == (kind.function == 0) or (row.unit is None) == (kind.function != 0):
        raise row.fields.error("unit", "unit or relay, whichever the type %s has" % kind.name)
    low_w = kind.min_w if row.min_w is None else row.min_w
    high_w = kind.max_w if row.max_w is None else row.max_w
    if not kind.min_w <= low_w <= high_w <= kind.max_w:
        raise row.fields.error("max_w", "min_w to max_w within %d to %d" % (kind.min_w, kind.max_w))
    if not low_w <= row.rest_w <= high_w:
        raise row.fields.error("rest_w", "a setpoint %d to %d" % (low_w, high_w))
    load.check_range(row.fields, kind, low_w, high_w)
    return row, kind, low_w, high_w


def _common_line(lines: list[tuple[str, Line]]) -> Line:
    """The line of the first of (name, line); all must be alike."""
    first, line = lines[0]
    for name, other in lines:
        if other.text() != line.text():
            raise InstallationError(
                "%s talks at %s, %s at %s: set all devices to one of them and give it as 'line' in "
                "the configuration" % (first, line.text(), name, other.text())
            )
    return line
