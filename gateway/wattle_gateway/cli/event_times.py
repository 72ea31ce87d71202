"""Times of events as people write them: a moment, or how long from now."""

import argparse

from wattle_gateway.cli.quantities import milliseconds
from wattle_gateway.cli.text import parsed_time, shown_age, shown_time
from wattle_gateway.errors import UsageError

EXPECTED = "Unix ms, ISO 8601 (UTC if it names no zone), or +5min: so long from now"


def moment(text: str, now_ms: int) -> int:
    """Unix ms of a time as written. Raises UsageError."""
    if text.startswith("+"):
        return now_ms + _length(text[1:])
    return parsed_time(text)


def boundary(text: str, now_ms: int, interval_ms: int) -> int:
    """Unix ms of the beginning of an interval: a moment has to be one, from now on it is the next.

    Raises UsageError that names the nearest ones.
    """
    at_ms = moment(text, now_ms)
    before_ms = at_ms // interval_ms * interval_ms
    if text.startswith("+"):
        return before_ms if before_ms == at_ms else before_ms + interval_ms
    if before_ms != at_ms:
        raise UsageError(
            f"{text} is no beginning of an interval of {shown_age(interval_ms)}; expected such as"
            f" {shown_time(before_ms)} or {shown_time(before_ms + interval_ms)} UTC"
        )
    return at_ms


def intervals(length_ms: int, interval_ms: int) -> int:
    """How many intervals a length is; UsageError unless a whole number, and at least one."""
    count, rest = divmod(length_ms, interval_ms)
    if rest or count == 0:
        raise UsageError(
            f"a window of {shown_age(length_ms)}, expected a multiple of the ledger's interval of"
            f" {shown_age(interval_ms)}"
        )
    return count


def _length(text: str) -> int:
    try:
        return milliseconds(text)
    except argparse.ArgumentTypeError as error:
        raise UsageError(f"time +{error}") from error
