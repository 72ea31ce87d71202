"""Market parameters as an operator meets them: at `init`, and later by `alliance market`."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from wattle_gateway.contracts import usage
from wattle_gateway.home.identity import load_genesis
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.ledger.market import HOLIDAYS_MAX, Market, Weights
from wattle_testkit.gateway_process import GatewayProcess, command

FILE = """
interval_s = 120
settle_ms = 60000
dispute_ms = 120000
holidays = [2026-12-25, "2026-01-01"]
[weights]
late = [1000, 900, 1000, 1000]
"""


def made(folder: Path, *words: str | Path) -> Constants:
    """The constants of a ledger made with these words."""
    done = command("init", folder, *words)
    assert done.returncode == 0, done.stderr
    return load_genesis(GatewayHome(folder)).constants


def refused(tmp_path: Path, *words: str | Path) -> str:
    """What an `init` that makes nothing says."""
    done = command("init", tmp_path / "none", *words)
    assert (done.returncode, (tmp_path / "none").exists()) == (2, False)
    return done.stderr


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_ledger_of_rules_3_has_the_market_of_spec(tmp_path: Path) -> None:
    assert made(tmp_path / "new", "--rules", "3") == Constants(market=Market())
    assert made(tmp_path / "old", "--rules", "2") == Constants()


def test_a_file_names_what_is_other_and_options_count_more(tmp_path: Path) -> None:
    file = written(tmp_path / "market.toml", FILE)
    market = made(tmp_path / "a", "--rules", "3", "--market", file, "--interval", "5m").market
    assert market is not None
    late = Weights(1000, 900, 1000, 1000)
    assert market.weight_of["late"] == late
    assert market == replace(
        Market(),
        interval_s=300,
        settle_ms=60_000,
        dispute_ms=120_000,
        holidays=(20454, 20812),
        weights=tuple((n, late if n == "late" else row) for n, row in Market().weights),
    )
    plain = {"interval_s": 120, "weights": {"late": late}}
    likewise = written(tmp_path / "market.json", json.dumps(plain))
    other = made(tmp_path / "b", "--rules", "3", "--market", likewise).market
    assert other is not None
    assert (other.interval_s, other.weight_of["late"]) == (120, late)


def test_a_zone_is_written_out(tmp_path: Path) -> None:
    words = ("--rules", "3", "--zone", "Europe/Berlin")
    holidays = written(tmp_path / "holidays", "2026-12-25 Christmas\n2026-01-01\n")
    market = made(tmp_path / "a", *words, "--holidays", holidays).market
    assert market is not None
    days = usage.local_days(market)
    for year in (2026, 2049):
        summer, winter = (int(datetime(year, m, 1, tzinfo=UTC).timestamp()) for m in (7, 12))
        assert (days.zone.offset_s(summer), days.zone.offset_s(winter)) == (7200, 3600)
    assert days.holidays == {20454, 20812}


def test_what_is_shown_can_be_read_again(tmp_path: Path) -> None:
    file = written(tmp_path / "market.toml", FILE)
    made(tmp_path / "a", "--rules", "3", "--market", file, "--zone", "America/New_York")
    shown = command("alliance", "market", tmp_path / "a").stdout
    again = made(
        tmp_path / "b", "--rules", "3", "--market", written(tmp_path / "again.toml", shown)
    )
    assert again == load_genesis(GatewayHome(tmp_path / "a")).constants


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("interval = 3", "'interval' is none of the names, did you mean interval_s"),
        ("interval_s = 7", "market interval_s is 7, expected a part of an hour"),
        ("interval_s = '5m'", "market interval_s is '5m', expected 1 to 3600"),
        ("zone = 'Europe/Berlinn'", "zone: time zone 'Europe/Berlinn', expected an IANA name"),
        ("zone = 3", "zone is not an array"),
        ("[zone]\nfirst = 3", "transitions is not an array"),
        ("holidays = ['25 December']", "holidays: '25 December', expected a day"),
        ("holidays = 3", "holidays is not an array"),
        ("weights = 3", "weights are no names with values"),
        ("[weights]\nlatte = [1, 1, 1, 1]", "'latte' is none of the names, did you mean late"),
        ("[weights]\nlate = [1, 1, 1]", "weights of late is not an array of 4"),
        ("interval_s", "market.toml: Expected"),
    ],
)
def test_a_file_that_is_wrong_is_told_what_is(tmp_path: Path, text: str, reason: str) -> None:
    file = written(tmp_path / "market.toml", text)
    assert reason in refused(tmp_path, "--rules", "3", "--market", file)


def test_options_that_are_wrong_are_told_what_is(tmp_path: Path) -> None:
    assert "need --rules 3, not 2" in refused(tmp_path, "--rules", "2", "--interval", "5m")
    assert "--interval '5'" in refused(tmp_path, "--rules", "3", "--interval", "5")
    assert "cannot be read" in refused(tmp_path, "--rules", "3", "--market", tmp_path / "missing")
    many = "\n".join(
        f"{2000 + day // 300}-{day // 25 % 12 + 1:02}-{day % 25 + 1:02}"
        for day in range(HOLIDAYS_MAX + 1)
    )
    holidays = written(tmp_path / "holidays", many)
    assert "at most 1024" in refused(tmp_path, "--rules", "3", "--holidays", holidays)
    weights = written(tmp_path / "weights.json", "[]")
    assert "expected names with values" in refused(tmp_path, "--rules", "3", "--weights", weights)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A running gateway alone, of rules 2."""
    made = GatewayProcess(tmp_path_factory.mktemp("market") / "gateway", "--rules", "2")
    try:
        made.start()
        yield made
    finally:
        made.kill()


def test_an_older_ledger_gets_a_market_and_changes_it(gateway: GatewayProcess) -> None:
    market = ("alliance", "market", gateway.folder, "--format", "json")
    done = command(*market)
    assert done.returncode == 2
    assert "`wattle-gateway alliance upgrade` proposes rules 3" in done.stderr
    (decision,) = json.loads(
        command("alliance", "upgrade", gateway.folder, "--format", "json").stdout
    )
    assert (decision["decided"], decision["epoch"]) == (True, 1)
    before = json.loads(command(*market).stdout)
    assert before["digest"] == Market().digest.hex()
    (decision,) = json.loads(command(*market, "--interval", "5m").stdout)
    assert (decision["decided"], decision["epoch"]) == (True, 2)
    after = json.loads(command(*market).stdout)
    digest = replace(Market(), interval_s=300).digest.hex()
    assert after == {**before, "interval_s": 300, "digest": digest}
    done = command(*market, "--interval", "5m")
    assert (done.returncode, "these market parameters are in force" in done.stderr) == (2, True)
