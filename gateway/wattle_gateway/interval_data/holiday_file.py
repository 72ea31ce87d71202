"""Holidays from a file: a day a line, what follows it is its name."""

import re
from pathlib import Path

from wattle_gateway.errors import UsageError
from wattle_gateway.interval_data import times

_BETWEEN = re.compile(r"[\s,;\"']+")
# Centuries of holidays.
MAX_LINES = 10_000


def read_holidays(path: Path) -> frozenset[int]:
    """Days since 1970-01-01. A line is a day (2026-12-25), then anything; # begins a comment;
    blank lines and a first line of column names are left out. Raises UsageError with the line."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"{path}: cannot be read: {why}") from error
    if len(lines) > MAX_LINES:
        raise UsageError(f"{path}: {len(lines)} lines, expected at most {MAX_LINES}")
    found = set()
    is_first = True
    for number, line in enumerate(lines, start=1):
        words = _BETWEEN.split(line.partition("#")[0].strip(" \t\"'"), maxsplit=1)
        word = words[0]
        if not word:
            continue
        try:
            found.add(times.parse_day(word))
        except UsageError as error:
            if is_first and not any(char.isdigit() for char in word):
                is_first = False
                continue
            raise UsageError(f"{path}: line {number}: {error}") from error
        is_first = False
    return frozenset(found)
