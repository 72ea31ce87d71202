"""Whole numbers on the command line."""

import argparse
from collections.abc import Callable


def within(low: int, high: int | None = None) -> Callable[[str], int]:
    """What argparse calls for a whole number from `low` to `high` (None: without an end)."""
    expected = f"{low} or more" if high is None else f"{low} to {high}"

    def parsed(text: str) -> int:
        digits = text.removeprefix("-")
        number = int(text) if digits.isascii() and digits.isdecimal() else None
        if number is None or number < low or (high is not None and number > high):
            raise argparse.ArgumentTypeError(f"{text!r}, expected {expected}")
        return number

    return parsed
