"""What readings under a known load say of the wiring: the commonest faults, by name.

Pure: readings in, findings out. Values are as the device shows them, before transformer ratios and
orientation, which stand in the meter's configuration; the known load is that of the primary side.

A current transformer on the wrong phase shows in that phase's active power: its current is a third
of a turn away from its voltage, so a load of power factor 1 seems to have -0.5. One that is turned
round shows its power with the other sign. A ratio that is wrong shows as a factor.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from wattle_wire import quantity

OK, WARNING, FAULT = "ok", "look", "fault"
# Low-voltage networks: 100 V to 277 V nominal, a tenth beyond either way.
_VOLTS = (85.0, 305.0)
_HERTZ = (45.0, 65.0)
# Below this a phase carries too little for its power factor to say anything.
_AMPERES_MIN = 0.05
_WATTS_MIN = 20.0
# As wattle-gateway judges what meters say of themselves.
_SIGNAL_DBM_MIN = -80
# A third of a turn: cos 120 degrees is -0.5, give or take the load's own angle of 20 degrees.
_EXCHANGED = (-0.78, -0.15)
# Sums of what is read one after the other under a load that moves a little.
_SUM_SHARE = 0.1
_RATIO_SHARE = 0.1
_LETTERS = {
    "T": ("it does not answer", "check cable, A and B, unit number and speed"),
    "F": ("its answers are damaged", "check A and B, the end resistors, and that no unit is twice"),
    "D": ("the line is gone", "check the board file's pins"),
    "E": ("it refuses, or its counter stands still", "check that the profile is this device's"),
    "N": ("it does not have this", "take a profile without it"),
    "R": ("its model is not found", "take the profile of this device"),
}


@dataclass(frozen=True)
class CheckedDevice:
    """A device as it is configured: its number, transformer ratios as factors, orientation."""

    number: int
    ct: float = 1.0
    vt: float = 1.0
    orient: int = 1


@dataclass(frozen=True)
class Readings:
    """A device in one round: its status letter, and its quantities as integers or letters."""

    status: str
    values: Mapping[str, int | str]

    def shown(self, name: str) -> float | None:
        """A quantity in its unit, None if it was not read."""
        value = self.values.get(name)
        if not isinstance(value, int):
            return None
        return float(value * 10 ** quantity.form(name)[1])


@dataclass(frozen=True)
class Finding:
    """`level` is one of the words above; `what` was seen, and `advice` on what to do."""

    level: str
    what: str
    advice: str = ""


def judge(
    device: CheckedDevice, rounds: Sequence[Readings], load_w: float | None, tolerance: float
) -> list[Finding]:
    """What the rounds of a device say, the newest last; `load_w`: what the load takes (import
    positive), None if nobody knows; `tolerance` as a share of it.
    """
    newest = rounds[-1]
    if not any(isinstance(value, int) for value in newest.values.values()):
        what, advice = _LETTERS.get(newest.status, (f"status {newest.status}", "look at it"))
        return [Finding(FAULT, what, advice)]
    phases = _phases(newest)
    found = [*_failed(newest), *_mains(newest), *phases, *_sums(newest), *_counters(rounds)]
    found += _load(device, newest, load_w, tolerance, phases_are_wrong=bool(phases))
    return found or [Finding(OK, "plausible; under a known load (--load-w) more can be told")]


def network(signal_dbm: int | None) -> list[Finding]:
    """What the strength of the wireless network says; nothing where it was not joined, which is
    told where it keeps the meter from its gateways.
    """
    if signal_dbm is None:
        return []
    what = f"joined, {signal_dbm} dBm"
    if signal_dbm < _SIGNAL_DBM_MIN:
        return [Finding(WARNING, f"{what}: weak", "move its antenna, or the access point nearer")]
    return [Finding(OK, what)]


def clock(state: str, is_set: bool, is_reached: bool) -> Finding:
    """Whether the meter knows the time: `state` as in its sample; `is_set`: it said so once it ran
    again; `is_reached`: a gateway's broker lets it in.
    """
    if is_set or state != "U":
        return Finding(OK, "it is set")
    if not is_reached:
        return Finding(WARNING, "it is not set", "its gateway sets it once it is reached")
    return Finding(
        WARNING,
        "no gateway has set it",
        "a gateway gives the time to meters that are enrolled; see `wattle-tool log`",
    )


def _failed(newest: Readings) -> list[Finding]:
    found = []
    for name, value in sorted(newest.values.items()):
        if isinstance(value, str):
            what, advice = _LETTERS.get(value, (f"status {value}", "look at it"))
            found.append(Finding(FAULT, f"{name}: {what}", advice))
    return found


def _mains(newest: Readings) -> list[Finding]:
    found = []
    for name in ("u", "u1", "u2", "u3"):
        volts = newest.shown(name)
        if volts is not None and not _VOLTS[0] <= volts <= _VOLTS[1]:
            advice = "check the fuse and the wire of this voltage"
            if volts > _VOLTS[1]:
                advice = "check the voltage ratio that is set in the device: expected 1"
            found.append(Finding(FAULT, f"{name} is {volts:.1f} V", advice))
    hertz = newest.shown("f")
    if hertz is not None and not _HERTZ[0] <= hertz <= _HERTZ[1]:
        found.append(
            Finding(FAULT, f"f is {hertz:.2f} Hz", "check the profile, and that mains is on")
        )
    return found


def _phases(newest: Readings) -> list[Finding]:
    factors = {phase: factor for phase in "123" if (factor := _factor(newest, phase)) is not None}
    exchanged = [p for p, factor in factors.items() if _EXCHANGED[0] < factor < _EXCHANGED[1]]
    if len(exchanged) >= 2:
        return [
            Finding(
                FAULT,
                f"currents of phases {', '.join(exchanged)} belong to other voltages: "
                + ", ".join(f"power factor {factors[phase]:.2f}" for phase in exchanged),
                "exchange the current transformers, or the voltages, of these phases",
            )
        ]
    signs = {phase: factor < 0 for phase, factor in factors.items()}
    if len(set(signs.values())) == 2:
        backward = [phase for phase, negative in signs.items() if negative]
        return [
            Finding(
                FAULT,
                f"phase {', '.join(backward)} counts the other way round than the others",
                "turn its current transformer round (K to the source), or exchange k and l",
            )
        ]
    return []


def _factor(newest: Readings, phase: str) -> float | None:
    """The power factor of a phase that carries something, with the sign of its power."""
    volts, amperes, watts = (newest.shown(name + phase) for name in "uip")
    if volts is None or amperes is None or watts is None:
        return None
    if abs(amperes) < _AMPERES_MIN or volts * abs(amperes) < _WATTS_MIN:
        return None
    return watts / (volts * abs(amperes))


def _sums(newest: Readings) -> list[Finding]:
    total, parts = newest.shown("p"), [newest.shown(f"p{phase}") for phase in "123"]
    if total is None or None in parts:
        return []
    summed = sum(part for part in parts if part is not None)
    if abs(summed - total) <= _SUM_SHARE * max(abs(total), abs(summed), _WATTS_MIN):
        return []
    return [
        Finding(
            WARNING,
            f"its phases have {summed:.0f} W together, its total is {total:.0f} W",
            "check the kind of network that is set in the device (3p4w, 1p2w), or a moving load",
        )
    ]


def _counters(rounds: Sequence[Readings]) -> list[Finding]:
    found = []
    for name in ("ei", "ee"):
        values = [value for one in rounds if (value := one.shown(name)) is not None]
        if any(later < earlier for earlier, later in pairwise(values)):
            found.append(
                Finding(FAULT, f"{name} fell while it was looked at", "take another profile")
            )
    return found


def _load(
    device: CheckedDevice,
    newest: Readings,
    load_w: float | None,
    tolerance: float,
    *,
    phases_are_wrong: bool,
) -> list[Finding]:
    watts = newest.shown("p")
    if load_w is None or watts is None:
        return []
    primary = watts * device.ct * device.vt * device.orient
    told = f"{primary:.0f} W of {load_w:.0f} W"
    if abs(primary - load_w) <= tolerance * abs(load_w):
        return [Finding(OK, f"it sees {told}")]
    if phases_are_wrong:
        # Their sum is half the load, or a third, or its negative: that says nothing of a ratio.
        return [Finding(WARNING, f"it sees {told}", "mend its phases first, then check again")]
    if abs(primary) < _WATTS_MIN * device.ct * device.vt / 10:
        return [
            Finding(
                FAULT,
                f"it sees {told}",
                "see that the load is behind this device and on, and the transformers not shorted",
            )
        ]
    if abs(primary + load_w) <= tolerance * abs(load_w):
        way = "leave out --reversed" if device.orient < 0 else "say --reversed"
        return [
            Finding(
                FAULT,
                f"it sees {told}: the other way round",
                f"exchange k and l everywhere, or {way}",
            )
        ]
    return [_wrong_ratio(device, told, load_w / primary)]


def _wrong_ratio(device: CheckedDevice, told: str, factor: float) -> Finding:
    """`factor`: by what the power that it sees has to be multiplied."""
    known = {
        3.0: ("two of three phases are missing", "check the current transformers and voltages"),
        1.5: ("one of three phases is missing", "check the current transformers and voltages"),
    }
    if device.ct != 1:
        known[1 / device.ct] = (
            "the current ratio is applied twice",
            "set it to 1 in the device, or leave out --ct",
        )
    for value, (cause, advice) in known.items():
        if abs(abs(factor) / value - 1) <= _RATIO_SHARE:
            return Finding(FAULT, f"it sees {told}: {cause}", advice)
    return Finding(
        FAULT,
        f"it sees {told}",
        f"if the load is right, the ratio is {abs(factor) * device.ct:.4g} and not "
        f"{device.ct:.4g}: read it off the transformers",
    )
