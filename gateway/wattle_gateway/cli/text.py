"""Times and sizes as people write and read them."""

import sys
from datetime import UTC, datetime

from rich.console import Console
from rich.markup import escape

from wattle_gateway.errors import UsageError

_MS_MAX = (1 << 53) - 1
# Where there is no terminal (a file, a pipe), tables are as wide as their content may need.
_FILE_COLUMNS = 200


class _Output(Console):
    """Leaves a reader that has gone away to `main`; rich would exit with 1."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console() -> Console:
    """Where tables go: the terminal at its width, or a file."""
    return _Output(width=None if sys.stdout.isatty() else _FILE_COLUMNS)


def parsed_time(text: str) -> int:
    """Unix ms of an argument: digits are ms, anything else ISO 8601 (UTC if it names no zone).

    Raises UsageError for anything else.
    """
    if text.isascii() and text.isdigit() and int(text) <= _MS_MAX:
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"time {text!r}, expected Unix ms or ISO 8601 such as 2026-11-20T12:00:00"
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return delta.days * 86_400_000 + delta.seconds * 1_000 + delta.microseconds // 1_000


def shown_time(time_ms: int | None) -> str:
    """Unix ms as UTC to the second, "" for None, the number itself beyond the calendar."""
    if time_ms is None:
        return ""
    try:
        return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return str(time_ms)


def shown_bytes(count: int) -> str:
    """A size with its unit."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError


def shown_age(age_ms: int) -> str:
    """A duration in its largest fitting unit."""
    seconds = age_ms / 1000
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} s"


def plain_name(name: str) -> str:
    """A member's name, which is its own choice: what is not printable is a question mark."""
    return "".join(char if char.isprintable() else "?" for char in name)


def shown_name(name: str) -> str:
    """The same for tables: nothing in it is taken for a style."""
    return escape(plain_name(name))
