"""Files of strangers: whatever they hold, what comes out is a series or one line that says why."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wattle_gateway.errors import UsageError
from wattle_gateway.interval_data import holiday_file, numbers, times
from wattle_gateway.interval_data.csv_series import CsvColumns, read_series

TIMES = st.one_of(
    st.text(max_size=20),
    st.from_regex(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,2}[ T]\d{1,2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2})?"),
    st.datetimes().map(lambda at: at.isoformat(" ", "minutes")),
    st.integers(0, 10**14).map(str),
)
NUMBERS = st.one_of(
    st.text("0123456789.,'eE+- \u00a0", max_size=12),
    st.floats().map(str),
    st.decimals().map(str),
    st.integers().map(str),
)
SEPARATORS = st.sampled_from([",", ";", "\t", "|"])
ZONES = st.sampled_from([None, "Europe/Berlin", "America/Sao_Paulo", "-12:00", "Nowhere"])


Made = TypeVar("Made")


def outcome(make: Callable[[], Made]) -> Made | str:
    """What is made, or the line that says why it is not."""
    try:
        return make()
    except UsageError as error:
        return str(error)


def check(path: Path, content: bytes, columns: CsvColumns) -> None:
    path.write_bytes(content)
    found = outcome(lambda: read_series(path, columns))
    if isinstance(found, str):
        assert found.strip()
        assert "\n" not in found
    else:
        assert 3_600 % found.series.interval_s == 0
        assert all(isinstance(energy, int) for energy in found.series.energies_mj.values())


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("garbage") / "load.csv"


@settings(deadline=None)
@given(content=st.binary(max_size=200))
def test_any_bytes(path: Path, content: bytes) -> None:
    check(path, content, CsvColumns("t", "p", "W", "start"))
    check(path, b"t,p\n" + content, CsvColumns("t", "p", "W", "start"))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.lists(st.tuples(TIMES, NUMBERS), max_size=5),
    mark=SEPARATORS,
    zone=ZONES,
    stamp=st.sampled_from(["start", "end"]),
)
def test_any_rows(
    path: Path, rows: list[tuple[str, str]], mark: str, zone: str | None, stamp: str
) -> None:
    lines = [f"t{mark}p", *(f"{at}{mark}{power}" for at, power in rows)]
    content = "\n".join(lines).encode("utf-8", "replace")
    check(path, content, CsvColumns("t", "p", "kW", stamp, timezone=zone))


@settings(deadline=None)
@given(text=TIMES | NUMBERS, time_format=st.none() | st.text(max_size=6) | st.just("%d.%m.%Y %H"))
def test_any_text_is_a_time_or_is_refused(text: str, time_format: str | None) -> None:
    found = outcome(lambda: times.parse(text, time_format))
    assert not isinstance(found, str) or repr(text.strip())[1:-1] in found


@settings(deadline=None)
@given(text=NUMBERS, mark=st.sampled_from([numbers.POINT, numbers.COMMA]))
def test_any_text_is_a_number_or_is_refused(text: str, mark: str) -> None:
    found = outcome(lambda: numbers.parse_number(text, mark))
    assert "expected one like" in found if isinstance(found, str) else found.is_finite()


@settings(deadline=None)
@given(content=st.binary(max_size=60))
def test_any_bytes_are_holidays_or_are_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    found = outcome(lambda: holiday_file.read_holidays(path))
    assert str(path) in found if isinstance(found, str) else all(day >= 0 for day in found)
