"""The frozen ledger of rules 3, recomputed from SPEC.md with cbor2, hashlib and ecdsa alone."""

from pathlib import Path
from typing import Any

import cbor2
import pytest
from wattle_testkit.frozen_ledger import FrozenLedger
from wattle_testkit.spec_reader import opened, sha256

ROOT = Path(__file__).parents[2]
LEDGER = FrozenLedger.named("market")
MARKET = LEDGER.genesis[4]["market"]
BEGIN_S = 1_699_999_200
DAY_S = 86_400


def spec_rows(header: str) -> list[list[str]]:
    """The cells of a table of SPEC."""
    text = (ROOT / "protocol/SPEC.md").read_text()
    lines = text[text.index(header) :].splitlines()[2:]
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.split("|")[1:-1]])
    return rows


def names(cell: str) -> list[str]:
    return [name.strip(" `") for name in cell.split(",")]


def test_the_epoch_is_one_of_rules_3() -> None:
    assert LEDGER.genesis[3] == 3
    LEDGER.check_epoch_digest()


def test_the_market_of_a_new_ledger_is_that_of_the_tables() -> None:
    expected: dict[str, Any] = {"holidays": [], "zone": [0, []], "weights": {}}
    for keys, values, _, _ in spec_rows("| parameter | at `init` | bounds | meaning |"):
        expected |= zip(names(keys), map(int, values.split(",")), strict=True)
    for keys, values, _ in spec_rows("| class | at `init` | |"):
        weights = [int(value) for value in values.split(",")]
        expected["weights"] |= dict.fromkeys(names(keys), weights)
    raw = bytes.fromhex(LEDGER.content["new_ledger"]["market"])
    assert cbor2.loads(raw) == expected
    assert sha256(raw)[:16].hex() == LEDGER.content["new_ledger"]["digest"]
    assert set(MARKET) == set(expected)
    assert expected != MARKET


def samples() -> list[tuple[int, int, list[dict[Any, Any]]]]:
    """(commit, verdict, the records of a sample), each verified."""
    found = []
    key = None
    for number, commit in enumerate(LEDGER.commits):
        for row, value in commit["changes"]:
            if cbor2.loads(bytes.fromhex(row))[0] == "meter":
                key = cbor2.loads(bytes.fromhex(value))[1]
        for raw in commit["leaves"]:
            leaf = cbor2.loads(bytes.fromhex(raw))
            if leaf[0] == 1:
                assert key is not None
                message = cbor2.loads(leaf[4])[1]
                found.append((number, leaf[1], opened("sample", LEDGER.ledger_id, message, key)[0]))
    return found


def readings(pack: list[dict[Any, Any]]) -> list[tuple[int, int, int]]:
    """(Unix ms, `ei`, `p` in 0.1 W) of the readings of device 1; SenML labels of SPEC 5."""
    found: list[list[int]] = []
    for record in pack:
        if -3 in record and record[0].startswith("1/"):
            found.append([int(record[-3] * 1000), 0, 0])
        if record[0] == "1/ei":
            found[-1][1] = record[2]
        if record[0] == "1/p":
            found[-1][2] = int(record[2] * 10)
    return [(at, ei, p) for at, ei, p in found]


@pytest.mark.parametrize("number", range(len(LEDGER.commits)))
def test_intervals_are_what_samples_say(number: int) -> None:
    """After each commit; those of the first day until it is settled."""
    state = LEDGER.states[number]
    is_settled = any(place[0] == "day" for place in state)
    assert MARKET["interval_s"] == 3600
    expected: dict[int, list[Any]] = {}
    for commit, verdict, pack in samples():
        for at_ms, ei, power in readings(pack):
            begin_s = at_ms // 3_600_000 * 3600
            if commit > number or (is_settled and begin_s == BEGIN_S):
                continue
            shown = [at_ms - begin_s * 1000, ei, None]
            row = expected.setdefault(begin_s, [shown, shown, 0, 0, power, power, 0, None])
            row[0], row[1] = min(row[0], shown), max(row[1], shown)
            row[2:7] = [
                row[2] + 1, row[3] + power, min(row[4], power), max(row[5], power),
                row[6] | verdict,
            ]  # fmt: skip
    rows = {place[3]: row for place, row in state.items() if place[0] == "usage"}
    assert rows == expected
    assert len(rows) == (1, 1, 1, 2, 2, 2, 2)[number]


def test_the_next_day_settles_the_first() -> None:
    state = LEDGER.states[-1]
    ((place, row),) = [(place, row) for place, row in state.items() if place[0] == "day"]
    assert (place[2:], [len(column) for column in row]) == ((1, BEGIN_S // DAY_S), [24] * 4)
    shown = {at: ei for _, _, pack in samples() for at, ei, _ in readings(pack)}
    begin_ms, end_ms = BEGIN_S * 1000, BEGIN_S * 1000 + 3_600_000
    energy_mwh = (shown[end_ms + 2_000] - shown[begin_ms]) * 1000
    # 2 s at the highest power seen, 600 W, or the mean if that is more; and a step of 1 Wh.
    off_mwh = 1000 + max(600 * 2 * 1000 // 3600, energy_mwh * 2_000 // 3_602_000)
    late, gap = 1, 512
    told = list(zip(*row, strict=True))
    assert told[:22] == [(0, 0, 0, 0)] * 22
    assert told[22] == (2, energy_mwh, off_mwh, late | gap)
    assert told[23] == (1, 0, 0, gap)
    (span,) = [row for place, row in state.items() if place[0] == "span"]
    assert span == [BEGIN_S // DAY_S + 1, 3600]


def test_state_digests_hold_the_whole_state_every_second_commit() -> None:
    LEDGER.check_state_digests(2)
