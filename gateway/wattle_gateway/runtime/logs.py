"""Log lines: one event a line, no secrets, to standard error; `key=value` behind it, or as JSON.

`gateway/METRICS.md` lists the events; a test compares.
"""

import json
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
            self._logger.log(level, "%s", event, extra={"fields": fields})


def start_logging(level: str) -> None:
    """Send the package's events of `level` ("debug", "info", "warning", "error") to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Line())
    logger = logging.getLogger(_ROOT)
    logger.handlers = [handler]
    logger.propagate = False
    logger.setLevel(level.upper())


def write_json() -> None:
    """From now on each line is a JSON object: time (RFC 3339), level, part, event, fields."""
    for handler in logging.getLogger(_ROOT).handlers:
        handler.setFormatter(_JsonLine())


class _Line(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = (f"{key}={_value(value)}" for key, value in _fields(record).items())
        words = " ".join([record.getMessage(), *fields])
        return f"{_time(record)} {record.levelname.lower()} {_part(record)}: {words}"


class _JsonLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "part": _part(record),
            "event": record.getMessage(),
            "fields": {key: _plain(value) for key, value in _fields(record).items()},
        }
        return json.dumps(line)


def _fields(record: logging.LogRecord) -> dict[str, object]:
    return getattr(record, "fields", {})


def _time(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    return f"{at.removesuffix('+00:00')}Z"


def _part(record: logging.LogRecord) -> str:
    return record.name.removeprefix(f"{_ROOT}.")


def _plain(value: object) -> object:
    """What JSON has a type for stays so."""
    return value if value is None or isinstance(value, bool | int | float) else _cut(value)


def _cut(value: object) -> str:
    text = str(value)
    return text if len(text) <= _VALUE_CHARS_MAX else text[: _VALUE_CHARS_MAX - 3] + "..."


def _value(value: object) -> str:
    text = _cut(value)
    if text and all(char.isprintable() and char not in ' "=' for char in text):
        return text
    return '"' + text.encode("unicode_escape").decode().replace('"', '\\"') + '"'
