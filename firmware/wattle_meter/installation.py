"""From the configuration's devices and their profile files to what can be read in rounds."""

from wattle_meter import profile, read_plan
from wattle_meter.config import Config, DeviceConfig
from wattle_meter.errors import MeterError
from wattle_meter.line import Line
from wattle_meter.metering import Device
from wattle_meter.profile import Profile


class InstallationError(MeterError):
    """Devices that cannot share a line, or not at this interval."""


class Installation:
    """`devices` by rising number, the `line` they share, the `slots` of a round and how far a
    read may run beyond its own (`lateness_ms`), and `described`: the device maps of the birth
    message (SPEC section 7). `round_ms`: what a round without failures takes on the line.
    """

    def __init__(self, config: Config, profiles: str, speed: int = 1) -> None:
        """Reads the profile files in the folder `profiles`.

        `speed` > 1 on a bench: the interval is in bench time, the line in real time. Raises
        InstallationError, FieldError, FileTooLargeError, PlanError; OSError.
        """
        self.devices: list[Device] = []
        self.described: list[dict[str, object]] = []
        known: dict[str, tuple[Profile, bytes]] = {}
        plans = []
        for row in config.devices:
            if row.profile not in known:
                known[row.profile] = profile.load(profiles + "/" + row.profile + ".json")
            found, digest = known[row.profile]
            quantities = row.quantities or sorted(found.registers)
            reads = read_plan.plan_reads(found, quantities)
            plans.append((found, reads))
            self.devices.append(Device(row.number, row.unit, found, reads))
            self.described.append(_described(row, found, digest, quantities))
        for found, _ in known.values():
            found.registers = {}  # the reads hold those they need; a heap is small
        self.line = config.line or _common_line(config, known)
        interval_ms = config.interval_ms // speed
        self.slots, self.round_ms = read_plan.plan_round(plans, self.line, interval_ms)
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


def _common_line(config: Config, known: dict[str, tuple[Profile, bytes]]) -> Line:
    first = config.devices[0].profile
    line = known[first][0].line
    for row in config.devices:
        other = known[row.profile][0].line
        if other.text() != line.text():
            raise InstallationError(
                "%s talks at %s, %s at %s: set all devices to one of them and give it as 'line' in "
                "the configuration" % (first, line.text(), row.profile, other.text())
            )
    return line
