"""Amounts as people write them: never rounded, never misread."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wattle_gateway.cli.amounts import parsed_amount, shown_amount
from wattle_gateway.errors import UsageError
from wattle_gateway.ledger.account_bodies import AMOUNT_MAX


@pytest.mark.parametrize(
    ("text", "decimals", "amount"),
    [
        ("12.34", 2, 1234),
        ("12.3", 2, 1230),
        ("12", 2, 1200),
        ("0.01", 2, 1),
        ("007", 0, 7),
        ("0.000000001", 9, 1),
        ("1000000000", 9, AMOUNT_MAX),
        ("1000000000000000000", 0, AMOUNT_MAX),
    ],
)
def test_what_is_written_is_meant(text: str, decimals: int, amount: int) -> None:
    assert parsed_amount(text, "CNY", decimals) == amount


@pytest.mark.parametrize(
    ("text", "decimals", "said"),
    [
        ("12.345", 2, "'12.345' has 3 digits after the point, CNY has 2"),
        ("12.300", 2, "has 3 digits"),
        ("12.0", 0, "has 1 digits after the point, CNY has 0"),
        ("0", 2, "expected 0.01 to 10000000000000000.00"),
        ("0.00", 2, "expected 0.01"),
        ("1000000000000000001", 0, "expected 1 to 1000000000000000000"),
        ("9" * 5_000, 2, "more than there can be of CNY"),
        ("", 2, "expected a number such as 12.50"),
        ("-1", 2, "expected a number"),
        ("+1", 2, "expected a number"),
        ("1e3", 2, "expected a number"),
        ("1,000", 2, "expected a number"),
        (".5", 2, "expected a number"),
        ("5.", 2, "expected a number"),
        ("1_000", 0, "expected a number such as 12"),
        ("\u0661\u0662", 2, "expected a number"),
        ("1\n", 2, "expected a number"),
    ],
)
def test_what_is_not_plain_is_refused(text: str, decimals: int, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        parsed_amount(text, "CNY", decimals)
    assert said in str(refused.value)


@given(st.integers(1, AMOUNT_MAX), st.integers(0, 9))
def test_what_is_shown_is_read_again(amount: int, decimals: int) -> None:
    shown = shown_amount(amount, decimals)
    assert parsed_amount(shown, "CNY", decimals) == amount
    assert Decimal(shown) == Decimal(amount).scaleb(-decimals)
    assert len(shown.partition(".")[2]) == decimals
