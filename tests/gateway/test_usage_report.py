"""The state's energies are those of `wattle-gateway energy`, from the same samples on a ledger."""

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from wattle_gateway.contracts import classes, registry, usage, weights
from wattle_gateway.contracts.measurement.energy import INTEGRATED, REGISTER, UNMEASURED
from wattle_gateway.ledger import transaction
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.ledger.market import Market
from wattle_gateway.ledger.signed_sample import SignedSample
from wattle_gateway.reports import energy as energy_report
from wattle_gateway.reports.energy import Question
from wattle_gateway.store import ledger_rows
from wattle_testkit.alliance import CREATED_MS, Board, epoch_of, reading
from wattle_testkit.driven_ledger import DrivenLedger

INTERVAL_S = 120
LENGTH_MS = INTERVAL_S * 1000
PERIOD_MS = 10_000
SAMPLES = 160
BEGIN_MS = CREATED_MS - CREATED_MS % LENGTH_MS


def story(board: Board) -> list[SignedSample]:
    """Half an hour by turns: much and little power, a silence, a counter exchanged, an
    implausible sample; three samples late by minutes, all out of order within a commit."""
    random = Random(5)
    found, imported_wh, previous = [], 50_000, None
    for seq in range(1, SAMPLES + 1):
        at_ms = BEGIN_MS + seq * PERIOD_MS - random.randrange(3_000)
        power_w = (9_000, 150, 4_000)[seq // 30 % 3] + random.randrange(100)
        imported_wh += power_w * PERIOD_MS // 3_600_000
        if 70 <= seq < 84:
            continue
        status = "G"
        if seq == 100:
            status, imported_wh = "X", 3
        values = {"ei": imported_wh, "p": power_w * 10}
        if seq == 120:
            values = {"ei": 1, "p": 10}
        signed = board.sample(seq, [reading(at_ms, status=status, **values)], prev=previous)
        previous = signed.digest
        found.append(signed)
    return found


def ledger(path: Path) -> tuple[DrivenLedger, Board]:
    """A ledger of rules 3 with the story on it."""
    market = replace(Market(), interval_s=INTERVAL_S)
    epoch = epoch_of(constants=Constants(market=market), rules=3)
    made, board = DrivenLedger(path, epoch), Board("board", epoch)
    point = replace(board.point(1, 12_000), capacity_w=2_000, ct=(200, 5), orient=-1)
    point = replace(point, rating_w=480_000)
    made.transact(transaction.ENROL, transaction.enrol_body(board.enrol(point)))
    told = story(board)
    late = [signed for signed in told if signed.sample.seq in (20, 21, 55)]
    rest = [signed for signed in told if signed not in late]
    random = Random(6)
    for begin in range(0, len(rest), 12):
        some = rest[begin : begin + 12]
        random.shuffle(some)
        made.unix_ms = max(signed.sample.readings[-1].time_ms for signed in some)
        made.add_samples(*some)
        made.settle()
    made.add_samples(*late)
    made.settle()
    return made, board


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[DrivenLedger, Board]:
    """See `ledger`."""
    return ledger(tmp_path_factory.mktemp("usage") / "ledger.db")


@pytest.mark.parametrize("resolution_wh", [1, 10])
def test_state_and_samples_say_the_same(
    told: tuple[DrivenLedger, Board], resolution_wh: int
) -> None:
    made, board = told
    end_ms = BEGIN_MS + SAMPLES * PERIOD_MS
    reader = made.reader()
    state = ledger_rows.load_state(reader)
    question = Question(board.kid, 1, BEGIN_MS, end_ms, LENGTH_MS, PERIOD_MS, resolution_wh)
    report = energy_report.read(reader, made.epoch.ledger_id, state, question)
    meter = registry.meter(state, board.kid)
    market = made.epoch.constants.market
    assert meter is not None
    assert market is not None
    found = usage.measured(state, meter, 1, report.metering, BEGIN_MS, end_ms, market)
    reader.close()
    assert [(one.begin_ms, one.energy) for one in found] == [
        (line.interval.begin_ms, line.energy) for line in report.lines
    ]
    for one, line in zip(found, report.lines, strict=True):
        assert one.classes - set(weights.INTERVAL_CLASSES) == weights.of_verdict(
            line.interval.verdict
        )
    coarse = {INTEGRATED, UNMEASURED}
    assert {one.energy.how for one in found} == (
        coarse if resolution_wh > 1 else {*coarse, REGISTER}
    )
    seen = 0
    for line in report.lines:
        seen |= line.interval.verdict
    assert seen & classes.EXCHANGED
    assert seen & classes.DECREASING
