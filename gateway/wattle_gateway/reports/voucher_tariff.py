"""Tariffs of vouchers: which price counts at which local time (`gateway/VOUCHERS.md`).

A tariff is a table of plain values, the same in a TOML file and in the JSON of a voucher. Prices
are decimal text or integers, never floats: 0.1 has no exact one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wattle_gateway.contracts.baseline.local_days import DAY_S, LocalDays, Zone, date_of
from wattle_gateway.contracts.measurement.primary import divided
from wattle_gateway.errors import UsageError
from wattle_gateway.interval_data import times, zones
from wattle_gateway.ledger import transaction

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
HOLIDAY = "holiday"
# What `days` may say beside the kinds themselves. A holiday is nothing but a holiday.
DAY_GROUPS = {
    "all": (*WEEKDAYS, HOLIDAY),
    "business": WEEKDAYS[:5],
    "weekend": WEEKDAYS[5:],
    **{kind: (kind,) for kind in (*WEEKDAYS, HOLIDAY)},
}
COMMODITIES = {name: number for number, name in transaction.COMMODITY_NAMES.items()}
# A file of ours; real tariffs have a handful of each.
PERIODS_MAX, SEASONS_MAX, WHEN_MAX, HOLIDAYS_MAX = 64, 64, 256, 10_000
NAME_CHARS_MAX = 100
DECIMALS_MAX = 9  # as an asset of the ledger
PRICE_DIGITS_MAX = 12
_MWH_PER_KWH = 1_000_000
_THURSDAY = 3  # 1970-01-01
_KEYS = {
    "name", "zone", "commodity", "asset", "decimals", "holidays", "periods", "seasons", "when",
}  # fmt: skip
_ASSET = re.compile("[A-Z][A-Z0-9-]{0,15}")
_PERIOD = re.compile("[a-z0-9][a-z0-9 _-]{0,31}")
_PRICE = re.compile(r"(-?)([0-9]{1,9})(?:\.([0-9]{1,12}))?")
_MONTH_DAY = re.compile("([0-9]{2})-([0-9]{2})")
_CLOCK = re.compile("([0-9]{2}):([0-9]{2})")
_DAYS_OF_MONTH = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True)
class Price:
    """`value` x 10^-`digits` of the asset a kWh, as `text` says."""

    text: str
    value: int
    digits: int

    def amount(self, energy_mwh: int, decimals: int) -> int:
        """What an energy costs in the asset's smallest unit, rounded toward zero (D2)."""
        return divided(energy_mwh * self.value * 10**decimals, 10**self.digits * _MWH_PER_KWH)


@dataclass(frozen=True)
class Prices:
    """Of one period: what imported energy costs and exported energy earns; None for no price."""

    imported: Price | None
    exported: Price | None


@dataclass(frozen=True)
class _When:
    """One row of `when`: the period at these times of day (s; the end may lie before the begin:
    over midnight) of these days in these seasons."""

    period: str
    seasons: frozenset[str]
    days: frozenset[str]
    begin_s: int
    end_s: int

    def holds(self, season: str, kind: str, second: int) -> bool:
        if season not in self.seasons or kind not in self.days:
            return False
        if self.begin_s < self.end_s:
            return self.begin_s <= second < self.end_s
        return second >= self.begin_s or second < self.end_s


@dataclass(frozen=True)
class Tariff:
    """A tariff that names a period for every moment. `table` is what it was read from."""

    table: Mapping[str, Any]
    name: str
    zone_name: str
    commodity: int
    asset: str
    decimals: int
    holidays: frozenset[int]
    periods: Mapping[str, Prices]
    seasons: tuple[tuple[tuple[int, int], str], ...]
    when: tuple[_When, ...]

    def zone(self, begin_ms: int, end_ms: int) -> Zone:
        """Its time zone, complete for a span. Raises UsageError for an unknown name."""
        return zones.named_zone(self.zone_name, begin_ms // 1000, end_ms // 1000)

    def cuts(self, begin_ms: int, end_ms: int) -> list[tuple[int, str]]:
        """(from when on, period) in `[begin_ms, end_ms)`, rising; neighbours differ.

        The period is that of the clock on the wall: an hour that it shows twice is judged twice,
        one that it skips never comes.
        """
        local = LocalDays(self.zone(begin_ms, end_ms), self.holidays)
        found: list[tuple[int, str]] = []
        for at_ms in [begin_ms, *self._edges_ms(local.zone, begin_ms, end_ms)]:
            period = self.period_at(local, at_ms // 1000)
            if not found or found[-1][1] != period:
                found.append((at_ms, period))
        return found

    def period_at(self, local: LocalDays, at_s: int) -> str:
        """The period at a moment (Unix s)."""
        day, second = local.zone.wall(at_s)
        season, kind = self._season(day), self._kind(local, day)
        period = _first(self.when, season, kind, second)
        assert period is not None, (season, kind, second)  # `parse` has tried all of them
        return period

    def _season(self, day: int) -> str:
        date = date_of(day)
        begun = [name for begin, name in self.seasons if begin <= (date.month, date.day)]
        return begun[-1] if begun else self.seasons[-1][1]

    def _kind(self, local: LocalDays, day: int) -> str:
        return HOLIDAY if day in local.holidays else WEEKDAYS[(day + _THURSDAY) % 7]

    def _edges_ms(self, zone: Zone, begin_ms: int, end_ms: int) -> list[int]:
        """Every moment inside at which the wall's clock shows a beginning or an end, a day
        begins, or the clock is set."""
        seconds = {0, *(row.begin_s for row in self.when), *(row.end_s for row in self.when)}
        first, last = zone.wall(begin_ms // 1000)[0], zone.wall(end_ms // 1000)[0]
        moments = {at_s for at_s, _ in zone.transitions}
        for day in range(first, last + 1):
            for second in seconds:
                moments.update(zone.moments(day, second))
        return sorted(at_s * 1000 for at_s in moments if begin_ms < at_s * 1000 < end_ms)


def parse(table: Mapping[str, Any], where: str) -> Tariff:
    """The tariff in a table; UsageError, beginning with `where`, for anything that is none."""
    try:
        return _parse(table)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from error


def _parse(table: Mapping[str, Any]) -> Tariff:
    for key in table:
        if key not in _KEYS:
            raise UsageError(f"unknown key {key!r}, expected {', '.join(sorted(_KEYS))}")
    for key in ("zone", "asset", "decimals", "periods", "when"):
        if key not in table:
            raise UsageError(f"`{key}` is missing")
    zone = _text(table["zone"], "zone")
    zones.named_zone(zone, 0, 0)
    commodity = _text(table.get("commodity", "electricity"), "commodity")
    if commodity not in COMMODITIES:
        raise UsageError(f"commodity {commodity!r}, expected one of {', '.join(COMMODITIES)}")
    decimals = table["decimals"]
    if type(decimals) is not int or not 0 <= decimals <= DECIMALS_MAX:
        raise UsageError(f"decimals {decimals!r}, expected an integer from 0 to {DECIMALS_MAX}")
    asset = _text(table["asset"], "asset")
    if not _ASSET.fullmatch(asset):
        raise UsageError(f"asset {asset!r}, expected a name such as EUR")
    periods = _periods(table["periods"])
    seasons = _seasons(table.get("seasons", {}))
    holidays = [_text(day, "holidays") for day in _list(table, "holidays", HOLIDAYS_MAX)]
    when = tuple(
        _when(row, number, periods, {name for _, name in seasons})
        for number, row in enumerate(_list(table, "when", WHEN_MAX), start=1)
    )
    found = Tariff(
        table,
        _text(table.get("name", ""), "name"),
        zone,
        COMMODITIES[commodity],
        asset,
        decimals,
        frozenset(times.parse_day(day) for day in holidays),
        periods,
        seasons,
        when,
    )
    _check_complete(found)
    return found


def _check_complete(tariff: Tariff) -> None:
    """Raises UsageError unless there is a period for every season, kind of day and time."""
    kinds = (*WEEKDAYS, HOLIDAY) if tariff.holidays else WEEKDAYS
    seconds = {
        0,
        *(row.begin_s for row in tariff.when),
        *(row.end_s % DAY_S for row in tariff.when),
    }
    for _, season in tariff.seasons:
        for kind in kinds:
            for second in sorted(seconds):
                if _first(tariff.when, season, kind, second) is None:
                    named = f" in season {season!r}" if season else ""
                    raise UsageError(
                        f"no `when` names the period of a {kind} at {_clock(second)}{named}; a "
                        "last one without days and times catches what is left"
                    )


def _first(when: tuple[_When, ...], season: str, kind: str, second: int) -> str | None:
    return next((row.period for row in when if row.holds(season, kind, second)), None)


def _periods(value: object) -> dict[str, Prices]:
    table = _table(value, "periods")
    if not 1 <= len(table) <= PERIODS_MAX:
        raise UsageError(f"{len(table)} periods, expected 1 to {PERIODS_MAX}")
    found = {}
    for name, prices in table.items():
        if not _PERIOD.fullmatch(name):
            raise UsageError(f"period {name!r}, expected a name of a-z, 0-9, blank, _ and -")
        known = _table(prices, f"periods.{name}")
        for key in known:
            if key not in ("import", "export"):
                raise UsageError(f"periods.{name}: unknown key {key!r}, expected import, export")
        found[name] = Prices(
            *(
                _price(known[key], f"periods.{name}.{key}") if key in known else None
                for key in ("import", "export")
            )
        )
    return found


def _price(value: object, what: str) -> Price:
    if isinstance(value, float):
        raise UsageError(f'{what}: {value} is a float, write it in quotes: "{value}"')
    text = str(value) if type(value) is int else value
    form = _PRICE.fullmatch(text) if isinstance(text, str) and text.isascii() else None
    if form is None:
        raise UsageError(
            f'{what}: {value!r}, expected a price a kWh such as "0.3215", at most '
            f"{PRICE_DIGITS_MAX} digits after the point"
        )
    digits = form[3] or ""
    number = int(form[2] + digits)
    return Price(form[0], -number if form[1] else number, len(digits))


def _seasons(value: object) -> tuple[tuple[tuple[int, int], str], ...]:
    """((month, day) of its beginning, name), rising; one without a name if there are none."""
    table = _table(value, "seasons")
    if len(table) > SEASONS_MAX:
        raise UsageError(f"{len(table)} seasons, expected at most {SEASONS_MAX}")
    begins: dict[tuple[int, int], str] = {}
    for name, text in table.items():
        form = _MONTH_DAY.fullmatch(_text(text, f"seasons.{name}"))
        month, day = (int(form[1]), int(form[2])) if form else (0, 0)
        if not 1 <= month <= 12 or not 1 <= day <= _DAYS_OF_MONTH[month - 1]:
            raise UsageError(f"seasons.{name}: {text!r}, expected month and day such as 04-01")
        if (month, day) in begins:
            raise UsageError(f"seasons.{name} begins when {begins[month, day]!r} does")
        begins[month, day] = name
    return tuple(sorted(begins.items())) or (((1, 1), ""),)


def _when(value: object, number: int, periods: Mapping[str, Prices], seasons: set[str]) -> _When:
    what = f"when {number}"
    row = _table(value, what)
    for key in row:
        if key not in ("period", "season", "days", "from", "to"):
            raise UsageError(
                f"{what}: unknown key {key!r}, expected period, season, days, from, to"
            )
    period = _text(row.get("period", ""), f"{what}: period")
    if period not in periods:
        raise UsageError(f"{what}: period {period!r}, expected one of {', '.join(periods)}")
    chosen = _words(row.get("season", sorted(seasons)), f"{what}: season", seasons)
    days = _words(row.get("days", "all"), f"{what}: days", set(DAY_GROUPS))
    begin_s, end_s = (
        _second(row.get(key, default), f"{what}: {key}")
        for key, default in (("from", "00:00"), ("to", "24:00"))
    )
    if begin_s in (end_s, DAY_S):
        raise UsageError(f"{what}: from {row.get('from', '00:00')} to {row.get('to', '24:00')}")
    kinds = frozenset(kind for word in days for kind in DAY_GROUPS[word])
    return _When(period, frozenset(chosen), kinds, begin_s, end_s)


def _words(value: object, what: str, known: set[str]) -> list[str]:
    found = []
    for word in value if isinstance(value, list) else [value]:
        if not isinstance(word, str) or word not in known:
            expected = ", ".join(sorted(known)) if known != {""} else "no season: there are none"
            raise UsageError(f"{what}: {word!r}, expected {expected}")
        found.append(word)
    return found


def _second(value: object, what: str) -> int:
    form = _CLOCK.fullmatch(_text(value, what))
    second = 3_600 * int(form[1]) + 60 * int(form[2]) if form and int(form[2]) < 60 else DAY_S + 1
    if second > DAY_S:
        raise UsageError(f"{what}: {value!r}, expected a time of day from 00:00 to 24:00")
    return second


def _clock(second: int) -> str:
    return f"{second // 3_600:02}:{second // 60 % 60:02}"


def _text(value: object, what: str) -> str:
    if not isinstance(value, str) or len(value) > NAME_CHARS_MAX or not value.isprintable():
        raise UsageError(
            f"{what}: {value!r}, expected a line of at most {NAME_CHARS_MAX} characters"
        )
    return value


def _table(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{what}: {value!r}, expected a table")
    return value


def _list(table: Mapping[str, Any], key: str, limit: int) -> list[Any]:
    value = table.get(key, [])
    if not isinstance(value, list) or len(value) > limit:
        raise UsageError(f"{key}: expected a list of at most {limit}")
    return value
