"""From energies to amounts (D35 to D37, SPEC section 12): lines, shares, payments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

_MJ_PER_MWH = 3_600_000_000_000  # of a megawatt hour
AMOUNT_MAX = 10**18


@dataclass(frozen=True)
class Line:
    """What an interval is worth."""

    status: str
    availability: int = 0
    energy: int = 0
    penalty: int = 0

    @property
    def net(self) -> int:
        """What the load gets for it."""
        return self.availability + self.energy - self.penalty


def line(
    event: Mapping[str, Any],
    part: Mapping[str, Any],
    index: int,
    baseline_mj: int | None,
    energy_mwh: int | None,
) -> Line:
    """The line of an interval of a load, by the event's JSON and what it used."""
    statement, parameters = part["statement"], event["parameters"]
    quota_mwh = Fraction(part["quotas_w"][index] * event["interval_s"] * 1_000, _MJ_PER_MWH)
    credit_mwh = quota_mwh * parameters["credit_max_permille"] / 1_000
    deadband_mwh = quota_mwh * parameters["deadband_permille"] / 1_000

    def penalty(given_mwh: Fraction) -> int:
        missing_mwh = quota_mwh - max(given_mwh, -credit_mwh) - deadband_mwh
        return _amount(statement["penalty_price"] * missing_mwh)

    if part["withdrawn_from"] is not None and index >= part["withdrawn_from"]:
        return Line("withdrawn", penalty=penalty(Fraction(0)))
    if energy_mwh is None:
        return Line("unmeasured")
    availability = _amount(statement["availability_price"] * quota_mwh)
    end_ms = event["begin_ms"] + (index + 1) * event["interval_s"] * 1_000
    if part["ordered_ms"] is None or part["ordered_ms"] >= end_ms:
        return Line("uncalled", availability)
    if baseline_mj is None:
        return Line("no_baseline")
    given_mwh = Fraction(baseline_mj - energy_mwh * 3_600, _MJ_PER_MWH)
    if event["direction"] == "up":
        given_mwh = -given_mwh
    energy = _amount(statement["energy_price"] * min(given_mwh, credit_mwh))
    return Line("called", availability, energy, penalty(given_mwh))


def _amount(exact: Fraction) -> int:
    """Rounded toward zero, once."""
    return min(AMOUNT_MAX, int(max(Fraction(0), exact)))


def shares(part: Mapping[str, Any], net: int) -> list[tuple[str, int]]:
    """(kid, share) of who owns the load and who declared it."""
    of_owner = int(Fraction(net * part["statement"]["split_permille"], 1_000))
    return [(part["owner_kid"], of_owner), (part["origin_kid"], net - of_owner)]


def reserve(event: Mapping[str, Any], parts: Sequence[Mapping[str, Any]]) -> int:
    """The most that the selected loads could cost (D36), rounded up."""
    credit = Fraction(event["parameters"]["credit_max_permille"], 1_000)
    exact = Fraction(0)
    for part in parts:
        uniform = event["uniform_price"]
        energy_price = part["price_mwh"] if uniform is None else uniform
        promised_mwh = Fraction(sum(part["quotas_w"]) * event["interval_s"] * 1_000, _MJ_PER_MWH)
        exact += promised_mwh * (event["availability_price"] + energy_price * credit)
    return -int(-exact // 1)


def paid(own_and_before: Mapping[str, tuple[int, int]], available: int) -> dict[str, int]:
    """What each payee gets: first what this event owes, then what earlier ones do."""
    found = {}
    for kid in sorted(own_and_before):
        own, before = own_and_before[kid]
        found[kid] = min(available, max(0, min(own, own + before)))
        available -= found[kid]
    for kid in sorted(found):
        own, before = own_and_before[kid]
        more = min(available, max(0, own + before - found[kid]))
        found[kid] += more
        available -= more
    return found
