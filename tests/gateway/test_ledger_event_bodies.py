"""Bodies of `publish`, `declare`, `withdraw`, `dispatch`, and the rule that an event carries (SPEC
section 10)."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wattle_gateway.contracts.baseline import presets, rule_form
from wattle_gateway.contracts.baseline.local_days import DayTypes
from wattle_gateway.contracts.baseline.rule import (
    AdjustmentKind,
    Fallback,
    Method,
    Quota,
    RankBy,
    Rule,
    Selection,
    Window,
)
from wattle_gateway.ledger import event_bodies
from wattle_gateway.ledger.errors import FormatError
from wattle_gateway.ledger.event_bodies import (
    Declare,
    Dispatch,
    Publish,
    Setpoint,
    Withdraw,
    parse_declare,
    parse_dispatch,
    parse_publish,
    parse_withdraw,
)
from wattle_wire import cbor, structure

EVENT, METER = bytes(range(32)), b"\x01" * 8
RULE = rule_form.encode(presets.PRESETS["pjm-high-4-of-5"].rule)
PUBLISH = Publish(
    event_bodies.BID,
    True,
    "north",
    "north/2",
    2,
    900_000,
    4,
    5,
    6,
    300_000,
    8,
    9,
    10,
    11,
    RULE,
    "EUR",
)


def test_a_publish_in_cbor_is_that_of_spec() -> None:
    raw = cbor.encode(replace(PUBLISH, fund=EVENT).row())
    assert raw.hex() == (
        "91"
        "04"
        "01"
        "656e6f727468"
        "676e6f7274682f32"
        "02"
        "1a000dbba0"
        "04"
        "05"
        "06"
        "1a000493e0"
        "08"
        "09"
        "0a"
        "0b" + RULE.hex() + "63455552"
        "5820" + EVENT.hex()
    )
    assert RULE.hex() == (
        "91"
        "6f706a6d2d686967682d342d6f662d35"
        "01"
        "03"
        "83040504"
        "83020302"
        "02"
        "01"
        "182d"
        "00"
        "00"
        "1903e8"
        "02"
        "02"
        "8418f0183c0000"
        "f6"
        "f6"
        "183c"
    )


@pytest.mark.parametrize("body", [PUBLISH, replace(PUBLISH, area="", emergency=False, fund=EVENT)])
def test_a_publish_comes_back(body: Publish) -> None:
    assert parse_publish(cbor.decode(cbor.encode(body.row()))) == body


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, 0),
        (0, 6),
        (1, 2),
        (1, True),
        (2, "North"),
        (2, "n" * 33),
        (2, None),
        (2, "north/"),
        (3, 0),
        (3, "north/2/"),
        (3, "south/2"),
        (4, 0),
        (4, 3),
        (5, -1),
        (5, 1 << 53),
        (6, 0),
        (6, 1001),
        (7, 0),
        (7, 10**12 + 1),
        (8, 86_400_001),
        (9, 0),
        (10, 3_600_001),
        (11, 10**12 + 1),
        (12, -1),
        (13, 1.5),
        (14, RULE),
        (14, ["x" * 300]),
        (15, "eur"),
        (16, bytes(31)),
    ],
)
def test_what_no_publish_may_say_is_refused(place: int, value: object) -> None:
    row = PUBLISH.row()
    row[place] = value
    with pytest.raises(FormatError):
        parse_publish(row)


def test_only_a_realtime_event_has_no_time_of_selection() -> None:
    parse_publish(replace(PUBLISH, method=event_bodies.REALTIME, select_ms=0).row())
    with pytest.raises(FormatError, match="select_ms 1 of method realtime"):
        parse_publish(replace(PUBLISH, method=event_bodies.REALTIME, select_ms=1).row())


@pytest.mark.parametrize(
    ("body", "parse"),
    [
        (Declare(EVENT, METER, 32, 5, (0, 1, 10**12)), parse_declare),
        (Withdraw(EVENT, METER, 1), parse_withdraw),
        (Dispatch(EVENT, 0, None), parse_dispatch),
        (Dispatch(EVENT, 7, (Setpoint(METER, 1, -5), Setpoint(METER, 2, 0))), parse_dispatch),
    ],
)
def test_the_others_come_back(
    body: Declare | Withdraw | Dispatch, parse: Callable[[object], object]
) -> None:
    assert parse(cbor.decode(cbor.encode(body.row()))) == body


@pytest.mark.parametrize(
    ("row", "parse"),
    [
        ([EVENT, METER, 1, 0, []], parse_declare),
        ([EVENT, METER, 1, 0, [0, 0]], parse_declare),
        ([EVENT, METER, 1, 0, [-1, 5]], parse_declare),
        ([EVENT, METER, 1, 0, [10**12 + 1]], parse_declare),
        ([EVENT, METER, 1, 0, [1] * 1001], parse_declare),
        ([EVENT, METER, 0, 0, [1]], parse_declare),
        ([EVENT, METER, 33, 0, [1]], parse_declare),
        ([EVENT, METER, 1, 10**12 + 1, [1]], parse_declare),
        ([EVENT[1:], METER, 1, 0, [1]], parse_declare),
        ([EVENT, METER, 1], parse_declare),
        ([EVENT, METER[1:], 1], parse_withdraw),
        ([EVENT, METER, 0], parse_withdraw),
        ([EVENT], parse_withdraw),
        ([EVENT, 0, []], parse_dispatch),
        ([EVENT, -1, None], parse_dispatch),
        ([EVENT, 0, [[METER, 2, 0], [METER, 1, 0]]], parse_dispatch),
        ([EVENT, 0, [[METER, 1, 0], [METER, 1, 1]]], parse_dispatch),
        ([EVENT, 0, [[METER, 1, 10**12 + 1]]], parse_dispatch),
        ([EVENT, 0, [[METER, 1]]], parse_dispatch),
        ([EVENT, 0, [[bytes([i // 256, i % 256]) * 4, 1, 0] for i in range(1001)]], parse_dispatch),
        ("text", parse_dispatch),
    ],
)
def test_what_the_others_may_not_say_is_refused(
    row: object, parse: Callable[[object], object]
) -> None:
    with pytest.raises(FormatError):
        parse(row)


windows = st.builds(
    lambda before, after: Window(*sorted(before, reverse=True), *sorted(after)),
    st.tuples(st.integers(0, 1_440), st.integers(0, 1_440)),
    st.tuples(st.integers(0, 1_440), st.integers(1, 1_440)),
)
quotas = st.builds(lambda x, more: Quota(x, x + more, x), st.integers(1, 300), st.integers(0, 430))
rules = st.builds(
    Rule,
    name=st.text(min_size=1, max_size=20),
    method=st.sampled_from([Method.X_OF_Y, Method.NEAREST]),
    day_types=st.sampled_from([DayTypes.BUSINESS, DayTypes.SATURDAY_SUNDAY]),
    quota=quotas,
    weekend_quota=st.none() | quotas,
    selection=st.sampled_from(Selection),
    rank_by=st.sampled_from(RankBy),
    look_back_days=st.integers(11, 730),
    skip_days=st.integers(0, 10),
    low_usage_permille=st.integers(0, 1_000),
    least_intervals_permille=st.integers(1, 1_000),
    fallback=st.sampled_from(Fallback),
    adjustment=st.sampled_from([AdjustmentKind.ADDITIVE, AdjustmentKind.MULTIPLICATIVE]),
    window=windows.filter(lambda window: not window.is_empty),
    cap_up_permille=st.none() | st.integers(0, 10_000),
    cap_down_permille=st.none() | st.integers(0, 1_000),
    match_gap_min=st.integers(0, 1_440),
)


@given(rules)
@settings(max_examples=60, deadline=None)
def test_every_rule_comes_back_from_its_array(rule: Rule) -> None:
    raw = rule_form.encode(rule)
    assert rule_form.decode(raw) == rule
    assert len(raw) <= event_bodies.RULE_BYTES_MAX


def test_every_preset_has_an_array() -> None:
    for preset in presets.PRESETS.values():
        assert rule_form.decode(rule_form.encode(preset.rule)) == preset.rule


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, ""),
        (0, "n" * 65),
        (1, 0),
        (1, 5),
        (2, 4),
        (3, [5, 4, 4]),
        (3, [1, 2]),
        (4, [0, 0, 0]),
        (5, 4),
        (6, 3),
        (7, 731),
        (8, 45),
        (9, 1_001),
        (10, 0),
        (11, 4),
        (12, 4),
        (13, [0, 0, 0, 0]),
        (13, [60, 240, 0, 0]),
        (14, 10_001),
        (15, 1_001),
        (16, "60"),
    ],
)
def test_what_is_no_rule_is_refused(place: int, value: object) -> None:
    row = structure.array(cbor.decode(RULE), 17, "rule")
    row[place] = value
    with pytest.raises(FormatError):
        rule_form.decode(cbor.encode(row))


@given(st.binary(max_size=64))
@settings(max_examples=60, deadline=None)
def test_bytes_that_are_no_rule_raise_nothing_else(raw: bytes) -> None:
    with pytest.raises(FormatError):
        rule_form.decode(raw)
