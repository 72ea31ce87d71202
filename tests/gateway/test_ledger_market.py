"""Market parameters: one form, every refusal with its reason; rules 1 and 2 know none."""

from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from wattle_gateway.contracts import classes, weights
from wattle_gateway.ledger import genesis, market
from wattle_gateway.ledger.commit import first_head
from wattle_gateway.ledger.epoch import EpochChange, first_epoch, next_epoch
from wattle_gateway.ledger.errors import FormatError, LedgerError, LimitError
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.ledger.market import MARKET_BOUNDS, Market, Weights, ZoneRow
from wattle_testkit.alliance import GRID, epoch_of, genesis_of
from wattle_wire import cbor

OTHER = replace(
    Market(),
    interval_s=60,
    holidays=(20_000, 20_001),
    zone=ZoneRow(-3600, ((0, 3600), (1_000_000, -7200))),
    weights=tuple(
        (name, Weights(1, 2, 3, 4) if name == "late" else row) for name, row in Market().weights
    ),
)


def with_(**changes: object) -> object:
    """The map of the parameters for a new ledger with some of it replaced."""
    return {**market.market_map(Market()), **changes}


def test_decode_gives_back_what_was_encoded() -> None:
    for made in (Market(), OTHER):
        assert market.decode(made.raw) == made
        assert market.checked(made) == made
        assert made.digest == sha256(made.raw).digest()[:16]
    assert OTHER.weight_of["late"] == Weights(1, 2, 3, 4)


@pytest.mark.parametrize("name", sorted(MARKET_BOUNDS))
def test_each_number_has_its_bounds(name: str) -> None:
    low, high = MARKET_BOUNDS[name]
    for bad in (low - 1, high + 1, True, "1", None):
        with pytest.raises(LimitError, match=f"market {name} is"):
            market.parse(with_(**{name: bad}))
    fitting = {"fine_ms": MARKET_BOUNDS["fine_ms"][1], "settle_ms": 1, "dispute_ms": 1}
    fitting |= {"dispute_ms": high - 1} if name == "dispute_ms" else {name: high}
    if name == "settle_ms":
        fitting["dispute_ms"] = high
    assert getattr(market.parse(with_(**fitting)), name) == fitting[name]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"interval_s": 7}, "a part of an hour"),
        ({"interval_s": 8}, "below 60 of a minute"),
        ({"interval_s": 45}, "below 60 of a minute"),
        ({"fine_ms": 173_700_000 - 1}, "expected at least settle_ms"),
        ({"dispute_ms": 899_999}, "final comes after initial"),
        ({"k_accuracy": 0, "k_availability": 0, "k_speed": 0}, "all 0"),
        ({"m_absolute": 0, "m_horizontal": 0, "m_vertical": 0}, "all 0"),
        ({"holidays": [3, 3]}, "holidays are not rising"),
        ({"holidays": [-1]}, "holiday"),
        ({"holidays": list(range(1025))}, "at most 1024"),
        ({"zone": [0]}, "zone"),
        ({"zone": [86_400, []]}, "offset of 86400 s"),
        ({"zone": [0, [[5, 0], [5, 1]]]}, "not rising"),
        ({"zone": [0, [[5, -86_400]]]}, "offset"),
        ({"zone": [0, [[5]]]}, "transition"),
        ({"zone": [0, [[at, 0] for at in range(257)]]}, "at most 256"),
        ({"weights": {}}, "weights are not a map with"),
        ({"weights": []}, "weights are not a map with"),
    ],
)
def test_parameters_that_cannot_be_are_refused(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        market.parse(with_(**changes))


@pytest.mark.parametrize("row", [[0, 0, 0], [0, 0, 0, 1001], [0, 0, 0, -1], 1000, [True, 0, 0, 0]])
def test_a_weight_is_a_share(row: object) -> None:
    rows: Any = market.market_map(Market())["weights"]
    with pytest.raises(FormatError, match="late"):
        market.parse(with_(weights={**rows, "late": row}))


@pytest.mark.parametrize("value", [None, [], {}, {**market.market_map(Market()), "more": 1}])
def test_a_map_of_other_keys_is_refused(value: object) -> None:
    with pytest.raises(FormatError, match="market is not a map with the keys"):
        market.parse(value)
    with pytest.raises(LedgerError, match="market"):
        market.decode(cbor.encode(value))


def test_every_class_of_a_sample_has_weights() -> None:
    assert set(classes.CLASS_NAMES.values()) | set(weights.INTERVAL_CLASSES) == set(
        market.DATA_CLASSES
    )
    assert not set(market.DATA_CLASSES) & set(market.FAULTS)


def test_of_several_classes_the_lowest_weight_counts() -> None:
    names = weights.of_verdict(classes.LATE | classes.ABOVE_RATING)
    assert names == {"late", "above_rating"}
    assert weights.weight(Market(), names, weights.SCORE) == 500
    assert weights.weight(Market(), names, weights.BASELINE) == 0
    assert weights.weight(Market(), (), weights.SCORE) == 1000
    assert weights.weight(OTHER, ["late"], weights.REPUTATION) == 3


def test_faults_are_taken_off_and_lower_a_merit() -> None:
    assert weights.taken_off(Market(), weights.UNDERBID) == 200
    assert weights.merit_share(Market(), [weights.SILENCE, weights.UNDERBID]) == 600
    assert weights.merit_share(Market(), []) == 1000


def test_a_genesis_of_rules_3_has_a_market() -> None:
    made = genesis_of(GRID, rules=3)
    assert made.constants.market == Market()
    other = genesis_of(GRID, constants=Constants(market=OTHER), rules=3)
    assert other.constants.market == OTHER
    assert genesis.decode(other.raw) == other
    assert genesis.decode(other.raw).raw == other.raw
    assert first_epoch(other).constants.market == OTHER


def test_the_market_of_a_new_ledger_is_left_out() -> None:
    row = cbor.decode(genesis_of(GRID, rules=3).raw)
    assert isinstance(row, list)
    assert "market" not in row[4]
    row[4]["market"] = market.market_map(Market())
    with pytest.raises(FormatError, match="expected to be left out"):
        genesis.decode(cbor.encode(row))


@pytest.mark.parametrize("rules", [1, 2])
def test_older_rules_know_no_market(rules: int) -> None:
    assert genesis_of(GRID, rules=rules).constants.market is None
    with pytest.raises(FormatError, match=f"which rules {rules} do not know"):
        genesis_of(GRID, constants=Constants(market=OTHER), rules=rules)


def test_a_market_comes_and_goes_with_the_rules() -> None:
    epoch = epoch_of(rules=2)
    members = epoch.everyone
    newer = next_epoch(epoch, EpochChange(members, 3, epoch.constants), first_head(epoch))
    assert newer.constants == Constants(market=Market())
    older = next_epoch(newer, EpochChange(members, 2, Constants(market=OTHER)), first_head(epoch))
    assert older.constants == Constants()
    row = next_epoch(newer, EpochChange(members, 2, Constants()), first_head(epoch))
    assert older.digest == row.digest


def test_the_largest_market_fits_its_limits() -> None:
    largest = replace(
        Market(),
        holidays=tuple(range(2_900_000, 2_900_000 + market.HOLIDAYS_MAX)),
        zone=ZoneRow(0, tuple((1 << 33 | at, -50_000) for at in range(market.TRANSITIONS_MAX))),
    )
    made = genesis_of(GRID, constants=Constants(market=largest), rules=3)
    assert len(largest.raw) < 10_000
    assert genesis.decode(made.raw) == made
