"""Powers, parts and lengths of time as people write them, to the integers of the ledger."""

import argparse
import re
from decimal import Decimal

from wattle_gateway.errors import UsageError
from wattle_gateway.ledger.transaction import RATING_W_MAX

_WATTS = {"W": 1, "kW": 1_000, "MW": 1_000_000, "GW": 1_000_000_000}
_MS = {"ms": 1, "s": 1_000, "min": 60_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_NUMBER = r"([0-9]{1,15}(?:\.[0-9]{1,9})?)"
_PERCENT = re.compile(r"([0-9]{1,4}(?:\.[0-9])?) ?%?")


def watts(text: str) -> int:
    """Whole watts of a power such as 50kW, 1.5MW or 800W. Raises argparse.ArgumentTypeError."""
    found = re.fullmatch(_NUMBER + " ?(W|kW|MW|GW)", text)
    power_w = _whole(text, found, _WATTS, "a power in whole watts such as 800W, 50kW or 1.5MW")
    if power_w > RATING_W_MAX:
        raise argparse.ArgumentTypeError(f"{text!r}, expected at most {RATING_W_MAX // 10**9}GW")
    return power_w


def signed_watts(text: str) -> int:
    """`watts`, or less than none: -3kW. Raises argparse.ArgumentTypeError."""
    return -watts(text[1:]) if text.startswith("-") else watts(text)


def milliseconds(text: str) -> int:
    """A length of time such as 5s, 15min or 1.5h. Raises argparse.ArgumentTypeError."""
    found = re.fullmatch(_NUMBER + " ?(ms|s|min|m|h|d)", text)
    return _whole(text, found, _MS, "a time such as 500ms, 5s, 15min or 1h")


def parsed_permille(text: str) -> int:
    """A part of a whole: 20, 20% or 12.5%. Raises UsageError."""
    found = _PERCENT.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"{text!r}, expected a percentage such as 20% or 12.5%")
    return int(Decimal(found[1]) * 10)


def _whole(text: str, found: "re.Match[str] | None", factors: dict[str, int], expected: str) -> int:
    if found is not None:
        number = Decimal(found[1]) * factors[found[2]]
        if number == int(number):
            return int(number)
    raise argparse.ArgumentTypeError(f"{text!r}, expected {expected}")
