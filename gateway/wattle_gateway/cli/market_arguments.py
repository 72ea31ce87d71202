"""Market parameters as an operator gives them: a file, and options for what most set."""

import argparse
import difflib
import json
import re
import tomllib
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

from wattle_gateway.contracts.baseline.local_days import DAY_S, Zone
from wattle_gateway.errors import UsageError
from wattle_gateway.interval_data import times
from wattle_gateway.interval_data.holiday_file import read_holidays
from wattle_gateway.interval_data.zones import named_zone
from wattle_gateway.ledger import genesis, market
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.ledger.market import MARKET_BOUNDS, Market, Weights

FILE_BYTES_MAX = 1 << 20
# Zones are written out for so long; a change renews them before that.
ZONE_YEARS = 30
_YEAR_S = 366 * DAY_S
_MS = 1000
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_OTHERS = ("holidays", "weights", "zone")


def rules(command: argparse.ArgumentParser) -> None:
    """The rules of a new ledger, and its market."""
    command.add_argument(
        "--rules",
        type=int,
        choices=genesis.RULES_KNOWN,
        default=genesis.RULES,
        help="that the ledger begins with (default: %(default)s); events need 3",
    )
    parameters(command)


def parameters(command: argparse.ArgumentParser) -> None:
    """Market parameters; what is not given stays as it is."""
    group = command.add_argument_group(
        "market parameters", "Those that are not named stay as they are (see `alliance market`)."
    )
    group.add_argument(
        "--market",
        type=Path,
        metavar="FILE",
        help="TOML (or .json) with any of them by name; options count more than the file",
    )
    group.add_argument(
        "--interval", metavar="LENGTH", help="of measurement and settlement, such as 5m or 15m"
    )
    group.add_argument(
        "--zone",
        metavar="ZONE",
        help=f"of local days: Europe/Berlin, UTC or +08:00, written out for {ZONE_YEARS} years",
    )
    group.add_argument(
        "--holidays", type=Path, metavar="FILE", help="a day (2026-12-25) in each line"
    )
    group.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="TOML or .json: class = [baseline, score, reputation, selection], permille",
    )


def founding(arguments: argparse.Namespace, now_ms: int) -> Market | None:
    """The market of a new ledger as `rules` has it on the command line; None below rules 3.
    Raises UsageError, also for parameters that the rules do not know."""
    found = changed(arguments, Market(), now_ms)
    if arguments.rules >= genesis.EVENT_RULES:
        return found or Market()
    if found is not None:
        raise UsageError(f"market parameters need --rules 3, not {arguments.rules}")
    return None


def changed(arguments: argparse.Namespace, base: Market, now_ms: int) -> Market | None:
    """`base` with what the command line changes, None if it names no parameter. `now_ms`: a zone
    is read from two years before. Raises UsageError that names file or option."""
    given = (arguments.market, arguments.interval, arguments.zone)
    if not any((*given, arguments.holidays, arguments.weights)):
        return None
    content = market.market_map(base)
    if arguments.market is not None:
        for name, value in _table(arguments.market).items():
            content[name] = _value(arguments.market, name, value, base, now_ms)
    if arguments.interval is not None:
        content["interval_s"] = _interval_s(arguments.interval)
    if arguments.zone is not None:
        content["zone"] = _zone_row(arguments.zone, now_ms)
    if arguments.holidays is not None:
        content["holidays"] = sorted(read_holidays(arguments.holidays))
    if arguments.weights is not None:
        content["weights"] = _weights(arguments.weights, _table(arguments.weights), base)
    try:
        return market.parse(content)
    except LedgerError as error:
        raise UsageError(str(error)) from error


def as_toml(found: Market) -> str:
    """The parameters as a file that `--market` reads."""
    zone = found.zone
    transitions = ", ".join(f"[{at_s}, {offset_s}]" for at_s, offset_s in zone.transitions)
    holidays = ", ".join(
        f'"{date.fromordinal(day + date(1970, 1, 1).toordinal())}"' for day in found.holidays
    )
    lines = [f"{name} = {getattr(found, name)}" for name in MARKET_BOUNDS]
    lines.append(f"holidays = [{holidays}]")
    lines += ["", "[zone]", f"first_offset_s = {zone.first_offset_s}"]
    lines.append(f"transitions = [{transitions}]")
    lines += ["", f"[weights]  # {', '.join(Weights._fields)}"]
    lines += [f"{name} = {list(weights)}" for name, weights in found.weights]
    return "\n".join(lines)


def _table(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    if len(raw) > FILE_BYTES_MAX:
        raise UsageError(f"{path}: more than {FILE_BYTES_MAX} bytes")
    try:
        text = raw.decode()
        found = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise UsageError(f"{path}: {error}") from error
    if not isinstance(found, dict):
        raise UsageError(f"{path}: expected names with values")
    return found


def _value(path: Path, name: str, value: object, base: Market, now_ms: int) -> object:
    """A parameter as it stands in CBOR."""
    _check_name(path, name, (*MARKET_BOUNDS, *_OTHERS))
    try:
        if name == "weights":
            return _weights(path, value, base)
        if name == "holidays" and isinstance(value, list):
            return sorted({times.parse_day(str(day)) for day in value})
        if name == "zone" and isinstance(value, str):
            return _zone_row(value, now_ms)
    except UsageError as error:
        raise UsageError(f"{path}: {name}: {error}") from error
    if name == "zone" and isinstance(value, dict):
        return [value.get("first_offset_s"), value.get("transitions")]
    return value


def _weights(path: Path, value: object, base: Market) -> dict[str, object]:
    """The weights in force with those of a file over them."""
    if not isinstance(value, dict):
        raise UsageError(f"{path}: weights are no names with values")
    for name in value:
        _check_name(path, name, base.weight_of)
    return {**{name: list(weights) for name, weights in base.weights}, **value}


def _check_name(path: Path, name: str, known: Iterable[str]) -> None:
    names = sorted(known)
    if name not in names:
        close = difflib.get_close_matches(name, names, n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else f"expected {', '.join(names)}"
        raise UsageError(f"{path}: {name!r} is none of the names, {hint}")


def _interval_s(text: str) -> int:
    found = re.fullmatch("([1-9][0-9]{0,3})([smh])", text, re.ASCII)
    if found is None:
        raise UsageError(f"--interval {text!r}, expected a length such as 30s, 5m or 1h")
    return int(found[1]) * _SECONDS[found[2]]


def _zone_row(name: str, now_ms: int) -> list[object]:
    begin_s = now_ms // _MS
    found: Zone = named_zone(name, begin_s, begin_s + ZONE_YEARS * _YEAR_S)
    return [found.first_offset_s, [list(pair) for pair in found.transitions]]
