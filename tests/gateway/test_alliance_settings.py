"""`alliance show` says which rules, constants and market parameters a proposal changes."""

from dataclasses import replace
from io import StringIO

from rich.console import Console
from wattle_gateway.cli import alliance_text
from wattle_gateway.contracts.alliance import PendingChange
from wattle_gateway.ledger.epoch import Epoch, EpochChange
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.ledger.market import Market, Weights, ZoneRow
from wattle_gateway.reports import alliance as alliance_report
from wattle_testkit.alliance import GRID, epoch_of

OTHER = replace(
    Market(),
    interval_s=300,
    zone=ZoneRow(3600, tuple((1_000_000_000 + year, 7200) for year in range(8))),
    weights=tuple(
        (name, Weights(1, 2, 3, 4) if name == "late" else row) for name, row in Market().weights
    ),
)


def settings(epoch: Epoch, rules: int, constants: Constants) -> dict[str, list[object]]:
    change = EpochChange(epoch.everyone, rules, constants)
    pending = PendingChange(GRID.kid, bytes(32), change, (GRID.kid,))
    return alliance_report.change_line(pending, epoch).settings


def test_new_rules_bring_their_market_with_them() -> None:
    epoch = epoch_of(rules=2)
    assert settings(epoch, 3, epoch.constants) == {"rules": [2, 3]}
    assert settings(epoch_of(rules=3), 2, Constants(gc_depth=9)) == {
        "rules": [3, 2],
        "gc_depth": [60, 9],
    }


def test_each_parameter_is_named_with_both_values() -> None:
    epoch = epoch_of(rules=3)
    assert settings(epoch, 3, epoch.constants) == {}
    assert settings(epoch, 3, Constants(market=OTHER)) == {
        "market.interval_s": [900, 300],
        "market.weights.late": [[1000, 1000, 1000, 1000], [1, 2, 3, 4]],
        "market.zone": [[0, []], [3600, [[1_000_000_000 + year, 7200] for year in range(8)]]],
    }


def test_people_see_what_fits_a_line() -> None:
    epoch = epoch_of(rules=3)
    change = EpochChange(epoch.everyone, 3, Constants(market=OTHER))
    line = alliance_report.change_line(
        PendingChange(GRID.kid, bytes(32), change, (GRID.kid,)), epoch
    )
    said = StringIO()
    Console(width=160, file=said).print(alliance_text.change_table(line))
    shown = said.getvalue()
    assert "900 becomes 300" in shown
    assert "changes; --format json tells how" in shown
