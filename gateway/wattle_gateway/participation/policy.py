"""The policy file: on what terms which loads take part in events, checked whole when it is read.

[[answer]]                               # the first that names a point decides for it
points = ["dab1a5856b562aeb/1"]          # or "all": each that this member has offered
least_price = "80.00 EUR"                # per MWh; events paid in another asset are left
methods = ["fixed", "bid", "cost"]       # default: these three
directions = ["down"]                    # default: both
areas = ["north", "south/feeder-2"]      # and what lies behind; default: any
share = "80%"                            # of the offered capacity; default: all of it
hours = ["08:00-12:00", "13:00-20:00"]   # the window lies in one of them; default: any
timezone = "Asia/Shanghai"               # of hours and days; default: UTC
except = ["2026-12-24", "2026-12-31..2027-01-02"]   # days without an answer
emergency = false                        # whether emergencies are answered; default: true
"""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from wattle_gateway.errors import ConfigError
from wattle_gateway.ledger import area
from wattle_gateway.ledger.event_bodies import BID, CONTRACT, COST, FIXED, METHOD_NAMES
from wattle_gateway.ledger.offer_bodies import DIRECTION_NAMES

ALL = "all"
# A rule for each load of the largest member, written by hand or by a program.
RULES_MAX = 10_000
FILE_BYTES_MAX = 8 << 20
MINUTES_A_DAY = 24 * 60
PERMILLE = 1000
# A realtime event calls standing offers at once: there is nothing to answer.
ANSWERED_METHODS = (COST, FIXED, CONTRACT, BID)
DEFAULT_METHODS = (COST, FIXED, BID)

_POINT = re.compile(r"[0-9a-f]{16}/[1-9][0-9]?")
_PRICE = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?) ([A-Z0-9-]{1,16})")
_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9])?) ?%")
_HOURS = re.compile(r"([0-2][0-9]):([0-5][0-9])-([0-2][0-9]):([0-5][0-9])")


class Hours(NamedTuple):
    """Minutes of the day: from the first, up to but without the second."""

    from_min: int
    to_min: int


class Days(NamedTuple):
    """Days from the first to the last."""

    first: date
    last: date


@dataclass(frozen=True)
class Rule:
    """On what terms these points answer. `points` None: all; `least_price` per MWh, in units of
    `asset` (not its smallest); `areas`, `hours` empty: any."""

    points: frozenset[str] | None
    least_price: Decimal
    asset: str
    methods: frozenset[int] = frozenset(DEFAULT_METHODS)
    directions: frozenset[int] = frozenset(DIRECTION_NAMES)
    areas: frozenset[str] = frozenset()
    share_permille: int = PERMILLE
    hours: tuple[Hours, ...] = ()
    zone: tzinfo = UTC
    excepted: tuple[Days, ...] = ()
    emergency: bool = True


@dataclass(frozen=True)
class Policy:
    """A party's rules, in the order of the file."""

    rules: tuple[Rule, ...] = field(default=())

    def rule_of(self, point: str) -> Rule | None:
        """The rule that decides for a point (METER/D), None: none does."""
        found = (rule for rule in self.rules if rule.points is None or point in rule.points)
        return next(found, None)


def load(path: Path) -> Policy:
    """The policy in a file. Raises ConfigError that names file, rule, key, what was found and what
    was expected."""
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise ConfigError(f"{path}: more than {FILE_BYTES_MAX} bytes are no policy")
        with path.open("rb") as file:
            document = tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the policy: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    return parse(document, str(path))


def parse(document: Mapping[str, object], source: str) -> Policy:
    """The policy in a parsed TOML document; `source` names it in errors. Raises ConfigError."""
    for name in document:
        if name != "answer":
            raise ConfigError(f"{source}: {name} is not known, expected tables [[answer]]")
    tables = document.get("answer", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigError(f"{source}: answer, expected tables [[answer]]")
    if len(tables) > RULES_MAX:
        raise ConfigError(f"{source}: {len(tables)} rules, expected at most {RULES_MAX}")
    rules = (_rule(table, f"{source}: rule {at}") for at, table in enumerate(tables, 1))
    return Policy(tuple(rules))


def _rule(table: Mapping[str, Any], source: str) -> Rule:
    values: dict[str, Any] = {}
    for name, value in table.items():
        if name not in _KEYS:
            raise ConfigError(f"{source}: {name} is not known; known: {', '.join(_KEYS)}")
        expected, read = _KEYS[name]
        try:
            values |= read(value)
        except (ValueError, TypeError, KeyError) as error:
            raise ConfigError(f"{source}: {name} is {value!r}, expected {expected}") from error
    for name in ("points", "least_price"):
        if name not in table:
            raise ConfigError(f"{source}: {name} is missing, expected {_KEYS[name][0]}")
    return Rule(**values)


def _points(value: object) -> dict[str, Any]:
    if value == ALL:
        return {"points": None}
    points = frozenset(_texts(value))
    if not points or not all(_POINT.fullmatch(point) for point in points):
        raise ValueError
    return {"points": points}


def _least_price(value: object) -> dict[str, Any]:
    found = _PRICE.fullmatch(_text(value))
    if found is None:
        raise ValueError
    return {"least_price": Decimal(found[1]), "asset": found[2]}


def _methods(value: object) -> dict[str, Any]:
    numbers = {METHOD_NAMES[number]: number for number in ANSWERED_METHODS}
    return {"methods": frozenset(numbers[name] for name in _texts(value))}


def _directions(value: object) -> dict[str, Any]:
    numbers = {name: number for number, name in DIRECTION_NAMES.items()}
    return {"directions": frozenset(numbers[name] for name in _texts(value))}


def _areas(value: object) -> dict[str, Any]:
    places = frozenset(_texts(value))
    if not all(area.PATTERN.fullmatch(place) and len(place) <= area.CHARS_MAX for place in places):
        raise ValueError
    return {"areas": places}


def _share(value: object) -> dict[str, Any]:
    found = _SHARE.fullmatch(_text(value))
    permille = 0 if found is None else int(Decimal(found[1]) * 10)
    if not 1 <= permille <= PERMILLE:
        raise ValueError
    return {"share_permille": permille}


def _hours(value: object) -> dict[str, Any]:
    return {"hours": tuple(_hour_span(text) for text in _texts(value))}


def _hour_span(text: str) -> Hours:
    found = _HOURS.fullmatch(text)
    if found is None:
        raise ValueError
    numbers = [int(part) for part in found.groups()]
    span = Hours(60 * numbers[0] + numbers[1], 60 * numbers[2] + numbers[3])
    if not span.from_min < span.to_min <= MINUTES_A_DAY:
        raise ValueError
    return span


def _timezone(value: object) -> dict[str, Any]:
    try:
        return {"zone": ZoneInfo(_text(value))}
    except (ZoneInfoNotFoundError, OSError) as error:
        raise ValueError from error


def _excepted(value: object) -> dict[str, Any]:
    return {"excepted": tuple(_day_span(text) for text in _texts(value))}


def _day_span(text: str) -> Days:
    first, _, last = text.partition("..")
    days = Days(date.fromisoformat(first), date.fromisoformat(last or first))
    if days.first > days.last:
        raise ValueError
    return days


def _emergency(value: object) -> dict[str, Any]:
    if not isinstance(value, bool):
        raise TypeError
    return {"emergency": value}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _texts(value: object) -> Sequence[str]:
    if not isinstance(value, list):
        raise TypeError
    return [_text(item) for item in value]


_KEYS: dict[str, tuple[str, Callable[[object], dict[str, Any]]]] = {
    "points": (f'"{ALL}" or points such as ["dab1a5856b562aeb/1"]', _points),
    "least_price": ('an amount per MWh and its asset, such as "80.00 EUR"', _least_price),
    "methods": (
        f"some of {', '.join(METHOD_NAMES[number] for number in ANSWERED_METHODS)}, in a list",
        _methods,
    ),
    "directions": (f"some of {', '.join(DIRECTION_NAMES.values())}, in a list", _directions),
    "areas": ('areas such as ["north", "south/feeder-2"]', _areas),
    "share": ('a part of the capacity from "0.1%" to "100%"', _share),
    "hours": ('times of the day such as ["08:00-20:00"]', _hours),
    "timezone": ('a time zone such as "Asia/Shanghai"', _timezone),
    "except": ('days such as ["2026-12-24", "2026-12-31..2027-01-02"]', _excepted),
    "emergency": ("true or false", _emergency),
}
