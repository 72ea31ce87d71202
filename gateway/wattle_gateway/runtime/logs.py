"""Log lines: one event a line, `key=value` behind it, no secrets, to standard error."""

import logging
import sys
from datetime import UTC, datetime

_ROOT = "wattle_gateway"
# A line quotes foreign text (topics, a broker's words); it must stay one line and readable.
_VALUE_CHARS_MAX = 200


class Log:
    """Writes the events of one part of the gateway; `fields` become `key=value`."""

    def __init__(self, part: str) -> None:
        self._logger = logging.getLogger(f"{_ROOT}.{part}")

    def debug(self, event: str, **fields: object) -> None:
        """For people who look for a fault."""
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: object) -> None:
        """What an operator may want to know later."""
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Something is wrong outside, and the gateway goes on."""
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, **fields: object) -> None:
        """Something an operator must look at."""
        self._write(logging.ERROR, event, fields)

    def _write(self, level: int, event: str, fields: dict[str, object]) -> None:
        if self._logger.isEnabledFor(level):
            words = [event, *(f"{key}={_value(value)}" for key, value in fields.items())]
            self._logger.log(level, "%s", " ".join(words))


def start_logging(level: str) -> None:
    """Send the package's events of `level` ("debug", "info", "warning", "error") to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Line())
    logger = logging.getLogger(_ROOT)
    logger.handlers = [handler]
    logger.propagate = False
    logger.setLevel(level.upper())


class _Line(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        part = record.name.removeprefix(f"{_ROOT}.")
        return f"{at.removesuffix('+00:00')}Z {record.levelname.lower()} {part}: " + (
            record.getMessage()
        )


def _value(value: object) -> str:
    text = str(value)
    if len(text) > _VALUE_CHARS_MAX:
        text = text[: _VALUE_CHARS_MAX - 3] + "..."
    if text and all(char.isprintable() and char not in ' "=' for char in text):
        return text
    return '"' + text.encode("unicode_escape").decode().replace('"', '\\"') + '"'
