"""What one interval of one resource is worth: a pure function (D35).

All energies here are mJ: a quota (W) over an interval (s), a register (mWh) and a baseline are
whole numbers of it, so that nothing is rounded but the three amounts, once each, toward zero (D2).
"""

from dataclasses import dataclass

from wattle_gateway.contracts.measurement.primary import divided
from wattle_gateway.ledger.account_bodies import AMOUNT_MAX
from wattle_gateway.ledger.offer_bodies import DOWN

MJ_PER_MWH = 3_600  # of a milliwatt hour
MJ_PER_W_S = 1_000
S_PER_H = 3_600
W_PER_MW = 1_000_000
_MJ_PER_MEGAWATT_HOUR = W_PER_MW * S_PER_H * MJ_PER_W_S
_PERMILLE = 1_000

# What became of an interval; numbers as in the state (SPEC section 11).
CALLED = 0  # an order was in force: availability, energy, penalty
UNCALLED = 1  # it ended before any order took effect: availability alone
WITHDRAWN = 2  # the resource opted out after the selection: penalty alone
UNMEASURED = 3  # nothing is known of it: nothing is paid (D11)
NO_BASELINE = 4  # nothing to compare with: nothing is paid
STATUS_NAMES = {
    CALLED: "called",
    UNCALLED: "uncalled",
    WITHDRAWN: "withdrawn",
    UNMEASURED: "unmeasured",
    NO_BASELINE: "no_baseline",
}


@dataclass(frozen=True)
class Tariff:
    """What is paid for what, in the asset's smallest unit.

    `availability_price` per MW and hour, `energy_price` and `penalty_price` per MWh;
    `credit_max_permille` of the quota is the most that is paid as energy, `deadband_permille` of
    it may be missing without penalty. `direction` DOWN or UP; `interval_s` length of an interval.
    """

    availability_price: int
    energy_price: int
    penalty_price: int
    credit_max_permille: int
    deadband_permille: int
    direction: int
    interval_s: int


@dataclass(frozen=True)
class Facts:
    """Of one interval: `quota_w` as declared; `baseline_mj` and `energy_mwh` None where there is
    none; whether an order was in force, and whether the resource had opted out."""

    quota_w: int
    baseline_mj: int | None
    energy_mwh: int | None
    called: bool
    withdrawn: bool = False


@dataclass(frozen=True)
class Line:
    """One line of a statement: `status` as above and three amounts, none below 0."""

    status: int
    facts: Facts
    availability: int = 0
    energy: int = 0
    penalty: int = 0

    @property
    def net(self) -> int:
        """What the resource gets, or owes where it is below 0."""
        return self.availability + self.energy - self.penalty


def adjustment_mj(facts: Facts, direction: int) -> int | None:
    """By how much the load went the way it was asked to (D4); None where that is not known."""
    if facts.baseline_mj is None or facts.energy_mwh is None:
        return None
    reduction_mj = facts.baseline_mj - facts.energy_mwh * MJ_PER_MWH
    return reduction_mj if direction == DOWN else -reduction_mj


def line(facts: Facts, tariff: Tariff) -> Line:
    """The line of an interval (D35; D22 for who opted out)."""
    promised_mj = facts.quota_w * tariff.interval_s * MJ_PER_W_S
    if facts.withdrawn:
        return Line(WITHDRAWN, facts, penalty=_penalty(tariff, promised_mj, 0))
    if facts.energy_mwh is None:
        return Line(UNMEASURED, facts)
    if not facts.called:
        return Line(UNCALLED, facts, _availability(tariff, promised_mj))
    adjusted_mj = adjustment_mj(facts, tariff.direction)
    if adjusted_mj is None:
        return Line(NO_BASELINE, facts)
    return Line(
        CALLED,
        facts,
        _availability(tariff, promised_mj),
        _energy(tariff, promised_mj, adjusted_mj),
        _penalty(tariff, promised_mj, adjusted_mj),
    )


def most(quota_w: int, tariff: Tariff) -> int:
    """By how much the worth of an interval can be in dispute: from the whole penalty of who goes
    the wrong way to all that is paid."""
    promised_mj = quota_w * tariff.interval_s * MJ_PER_W_S
    beyond_mj = promised_mj * tariff.credit_max_permille
    best = _availability(tariff, promised_mj) + _energy(tariff, promised_mj, beyond_mj)
    return best + _penalty(tariff, promised_mj, -beyond_mj)


def _availability(tariff: Tariff, promised_mj: int) -> int:
    """Price x W x hours: a MW over an hour is as many mJ as a MWh."""
    return _amount(tariff.availability_price * promised_mj, _MJ_PER_MEGAWATT_HOUR)


def _energy(tariff: Tariff, promised_mj: int, adjusted_mj: int) -> int:
    credited = min(adjusted_mj * _PERMILLE, promised_mj * tariff.credit_max_permille)
    return _amount(tariff.energy_price * max(0, credited), _MJ_PER_MEGAWATT_HOUR * _PERMILLE)


def _penalty(tariff: Tariff, promised_mj: int, adjusted_mj: int) -> int:
    """Who goes the wrong way owes for that too, as far as going the right way is paid."""
    lowest = -promised_mj * tariff.credit_max_permille
    missing = promised_mj * (_PERMILLE - tariff.deadband_permille)
    missing -= max(lowest, adjusted_mj * _PERMILLE)
    return _amount(tariff.penalty_price * max(0, missing), _MJ_PER_MEGAWATT_HOUR * _PERMILLE)


def _amount(product: int, divisor: int) -> int:
    """No line is more than there can be of an asset."""
    return min(AMOUNT_MAX, divided(product, divisor))
