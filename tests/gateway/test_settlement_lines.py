"""What an interval is worth (DEMAND_RESPONSE.md, D35; D22 for who opted out; D2 for rounding)."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wattle_gateway.contracts.settlement import lines
from wattle_gateway.contracts.settlement.lines import Facts, Tariff
from wattle_gateway.ledger.account_bodies import AMOUNT_MAX
from wattle_gateway.ledger.offer_bodies import DOWN, PRICE_MAX, UP
from wattle_gateway.ledger.transaction import RATING_W_MAX

# 60.00 per MW and hour, 500.00 per MWh, 800.00 per MWh, in hundredths.
TARIFF = Tariff(6_000, 50_000, 80_000, 1_200, 50, DOWN, 900)
HOUR = 3_600_000  # mJ in a Wh
# A quarter of an hour at 100 kW is 25 kWh.
QUOTA_W = 100_000
KWH_MWH = 1_000_000


def kept(given_kwh: int, *, quota_w: int = QUOTA_W, called: bool = True) -> Facts:
    """A load that would have drawn 40 kWh and drew `given_kwh` less."""
    return Facts(quota_w, 40_000 * HOUR, (40 - given_kwh) * KWH_MWH, called)


def amounts(facts: Facts, tariff: Tariff = TARIFF) -> tuple[int, int, int]:
    found = lines.line(facts, tariff)
    return found.availability, found.energy, found.penalty


class TestCalled:
    """Availability, energy up to the credit, penalty beyond the deadband."""

    def test_exact_delivery(self) -> None:
        # 0.1 MW x 0.25 h x 60.00 = 1.50; 0.025 MWh x 500.00 = 12.50
        assert amounts(kept(25)) == (150, 1_250, 0)

    def test_over_delivery_is_paid_up_to_the_credit(self) -> None:
        assert amounts(kept(30)) == (150, 1_500, 0)
        assert amounts(kept(39)) == (150, 1_500, 0)

    def test_a_shortfall_within_the_deadband_costs_nothing(self) -> None:
        # 5 % of 25 kWh are 1.25 kWh.
        assert amounts(kept(24)) == (150, 1_200, 0)

    def test_the_penalty_counts_what_is_missing_beyond_the_deadband(self) -> None:
        # 25 - 20 - 1.25 kWh = 3.75 kWh x 800.00 = 3.00
        assert amounts(kept(20)) == (150, 1_000, 300)

    def test_who_goes_the_wrong_way_is_paid_no_energy(self) -> None:
        # 25 + 10 - 1.25 kWh x 800.00
        assert amounts(kept(-10)) == (150, 0, 2_700)

    def test_and_owes_at_most_as_far_as_the_right_way_is_credited(self) -> None:
        # 25 + 30 - 1.25 kWh x 800.00
        assert amounts(kept(-30)) == amounts(kept(-1_000)) == (150, 0, 4_300)

    def test_more_load_is_asked_for_with_the_sign_turned(self) -> None:
        up = Tariff(6_000, 50_000, 80_000, 1_200, 50, UP, 900)
        assert amounts(kept(-25), up) == (150, 1_250, 0)

    def test_a_quota_of_nothing_earns_and_owes_nothing(self) -> None:
        assert amounts(kept(25, quota_w=0)) == (0, 0, 0)


class TestOthers:
    """Intervals that are no delivery."""

    def test_before_any_order_availability_alone_counts(self) -> None:
        found = lines.line(kept(0, called=False), TARIFF)
        assert (found.status, found.net) == (lines.UNCALLED, 150)

    def test_unmeasured_pays_nothing(self) -> None:
        for called in (False, True):
            found = lines.line(Facts(QUOTA_W, 1, None, called), TARIFF)
            assert (found.status, found.net) == (lines.UNMEASURED, 0)

    def test_without_a_baseline_nothing_is_paid(self) -> None:
        found = lines.line(Facts(QUOTA_W, None, 1, called=True), TARIFF)
        assert (found.status, found.net) == (lines.NO_BASELINE, 0)

    @pytest.mark.parametrize("energy_mwh", [None, 15 * KWH_MWH])
    def test_who_opted_out_owes_the_whole_quota(self, energy_mwh: int | None) -> None:
        facts = Facts(QUOTA_W, 40_000 * HOUR, energy_mwh, called=False, withdrawn=True)
        found = lines.line(facts, TARIFF)
        # 25 - 1.25 kWh x 800.00
        assert (found.status, found.net) == (lines.WITHDRAWN, -1_900)


prices = st.integers(0, PRICE_MAX)
tariffs = st.builds(
    Tariff,
    prices,
    prices,
    prices,
    st.integers(1_000, 10_000),
    st.integers(0, 1_000),
    st.sampled_from([DOWN, UP]),
    st.sampled_from([1, 12, 300, 900, 3_600]),
)
facts = st.builds(
    Facts,
    st.integers(0, RATING_W_MAX),
    st.none() | st.integers(-(10**18), 10**18),
    st.none() | st.integers(-(10**15), 10**15),
    st.booleans(),
    st.booleans(),
)


@given(facts, tariffs)
def test_each_amount_is_rounded_once_toward_zero(one: Facts, tariff: Tariff) -> None:
    """Against the same written down in fractions of MWh."""
    found = lines.line(one, tariff)
    hours = Fraction(tariff.interval_s, 3600)
    quota = Fraction(one.quota_w, 10**6) * hours
    given_mwh = Fraction(0)
    if one.baseline_mj is not None and one.energy_mwh is not None and not one.withdrawn:
        given_mwh = Fraction(one.baseline_mj, 36 * 10**11) - Fraction(one.energy_mwh, 10**9)
        given_mwh *= 1 if tariff.direction == DOWN else -1
    credit = quota * tariff.credit_max_permille / 1000
    missing = quota - max(-credit, given_mwh) - quota * tariff.deadband_permille / 1000
    expected = {
        lines.CALLED: (quota, min(credit, given_mwh), missing),
        lines.UNCALLED: (quota, 0, 0),
        lines.WITHDRAWN: (0, 0, missing),
    }.get(found.status, (0, 0, 0))
    price = (tariff.availability_price, tariff.energy_price, tariff.penalty_price)
    exact = [
        min(AMOUNT_MAX, int(max(Fraction(0), of * mwh)))
        for of, mwh in zip(price, expected, strict=True)
    ]
    assert [found.availability, found.energy, found.penalty] == exact
