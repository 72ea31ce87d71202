"""Amounts as people write them, by the decimals that their asset declares."""

import re

from wattle_gateway.errors import UsageError
from wattle_gateway.ledger.account_bodies import AMOUNT_MAX

_FORM = re.compile(r"([0-9]+)(?:\.([0-9]+))?")


def parsed_amount(text: str, asset: str, decimals: int, lowest: int = 1) -> int:
    """The amount in the asset's smallest unit. UsageError for what is no plain decimal number, has
    more digits than the asset declares, is below `lowest` or beyond 10^18 units: nothing is ever
    rounded."""
    form = _FORM.fullmatch(text) if text.isascii() else None
    if form is None:
        raise UsageError(f"amount {text!r}, expected a number such as {_example(decimals)}")
    digits = form[2] or ""
    if len(digits) > decimals:
        raise UsageError(
            f"amount {text!r} has {len(digits)} digits after the point, {asset} has {decimals}"
        )
    # A number of a thousand digits is no number that int() need read.
    whole = form[1].lstrip("0")
    if len(whole) > len(str(AMOUNT_MAX)):
        raise UsageError(f"amount {text!r} is more than there can be of {asset}")
    amount = int((whole or "0") + digits.ljust(decimals, "0"))
    if not lowest <= amount <= AMOUNT_MAX:
        raise UsageError(
            f"amount {text!r}, expected {shown_amount(lowest, decimals)} to "
            f"{shown_amount(AMOUNT_MAX, decimals)}"
        )
    return amount


def shown_amount(amount: int, decimals: int) -> str:
    """An amount in the asset's smallest unit as people read it: 1234 with 2 decimals is 12.34."""
    if decimals == 0:
        return str(amount)
    digits = str(amount).rjust(decimals + 1, "0")
    return f"{digits[:-decimals]}.{digits[-decimals:]}"


def _example(decimals: int) -> str:
    return shown_amount(125 * 10**decimals // 10, decimals) if decimals else "12"
