"""Powers, times and parts as people write them."""

import argparse

import pytest
from wattle_gateway.cli.quantities import milliseconds, parsed_permille, signed_watts, watts
from wattle_gateway.errors import UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [("800W", 800), ("50kW", 50_000), ("1.5 MW", 1_500_000), ("0.001kW", 1), ("2GW", 2 * 10**9)],
)
def test_watts(text: str, expected: int) -> None:
    assert watts(text) == signed_watts(text) == expected
    assert signed_watts(f"-{text}") == -expected


@pytest.mark.parametrize(
    "text", ["50", "50kw", "0.5W", "1.0005kW", "-1W", "1,5kW", "kW", "5kWh", ""]
)
def test_what_is_no_power_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"such as 800W, 50kW or 1\.5MW"):
        watts(text)


def test_no_load_has_more_than_the_ledger_can_say() -> None:
    assert watts("1000GW") == 10**12
    with pytest.raises(argparse.ArgumentTypeError, match="expected at most 1000GW"):
        watts("1000.000000001GW")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("500ms", 500), ("5s", 5_000), ("15min", 900_000), ("15m", 900_000),
        ("1.5h", 5_400_000), ("7d", 604_800_000), ("0s", 0),
    ],
)  # fmt: skip
def test_milliseconds(text: str, expected: int) -> None:
    assert milliseconds(text) == expected


@pytest.mark.parametrize("text", ["5", "5 sec", "0.5ms", "-5s", "1e3s", "M", ""])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="such as 500ms, 5s, 15min or 1h"):
        milliseconds(text)


@pytest.mark.parametrize(
    ("text", "expected"), [("20", 200), ("20%", 200), (" 12.5 % ", 125), ("0%", 0), ("120%", 1_200)]
)
def test_parts_of_a_whole(text: str, expected: int) -> None:
    assert parsed_permille(text) == expected


@pytest.mark.parametrize("text", ["", "%", "h", "-1%", "12.55%", "1,5%", "20 percent"])
def test_what_is_no_part(text: str) -> None:
    with pytest.raises(UsageError, match=r"expected a percentage such as 20% or 12\.5%"):
        parsed_permille(text)
