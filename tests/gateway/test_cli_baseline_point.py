"""`baseline --point` and `placebo --point`: what an analyst reads is what the ledger settled by."""

from pathlib import Path

import pytest
from wattle_gateway.cli import main
from wattle_gateway.contracts.baseline.rule import (
    AdjustmentKind,
    DayTypes,
    Method,
    Quota,
    Rule,
    Window,
)
from wattle_gateway.contracts.baseline.series import MJ_PER_WH
from wattle_gateway.contracts.measurement.energy import DAY_MS
from wattle_gateway.contracts.settlement.results import ResultRow
from wattle_gateway.ledger import genesis, transaction
from wattle_gateway.ledger.epoch import first_epoch
from wattle_testkit import stored_home
from wattle_testkit.account_ledger import GRID, MEMBERS
from wattle_testkit.alliance import Board, genesis_of
from wattle_testkit.baseline_command import as_json, refused
from wattle_testkit.commit_chain import CommitChain
from wattle_testkit.event_ledger import BEGIN_MS, HOUSE, INTERVAL_MS, NEIGHBOUR
from wattle_testkit.settled_event import (
    END_MS,
    HOUR_MS,
    MARKET,
    fresh,
)

# Two of the last days that are like the event's, adjusted by the hour before it.
RULE = Rule(
    "two-days",
    method=Method.X_OF_Y,
    day_types=DayTypes.ALL,
    quota=Quota(2, 4, 2),
    look_back_days=10,
    adjustment=AdjustmentKind.MULTIPLICATIVE,
    window=Window(60, 0),
    cap_up_permille=200,
    cap_down_permille=200,
)
OPTIONS = (
    *("--rule", "caiso-10-of-10", "--day-types", "all", "--x", "2", "--y", "4"),
    *("--least-days", "2", "--look-back", "10", "--window-before", "1h-0h", "--cap", "20%"),
    *("--fallback", "refuse"),
)
LAST_DAY = 5
BASE_MS = BEGIN_MS + 2 * HOUR_MS  # in UTC: an event within one day


class Season:
    """Five days of load, an event on the fourth and one on the sixth; and both are settled."""

    def __init__(self, folder: Path) -> None:
        self.ledger = fresh()
        for day in range(LAST_DAY):
            self._pass(day)
        self.event = self._called(LAST_DAY)
        self.begin_ms = BASE_MS + LAST_DAY * DAY_MS
        self.ledger.commit_at(self.begin_ms + (END_MS - BEGIN_MS) + MARKET.settle_ms)
        plain = Board("plain board", self.ledger.epoch)
        body = transaction.enrol_body(plain.enrol(home=GRID.kid))
        self.ledger.done(GRID, transaction.ENROL, body)
        self.plain = f"{plain.kid.hex()}/1"
        self.point = f"{self.ledger.board(HOUSE).kid.hex()}/1"
        first = genesis_of(
            *MEMBERS, constants=self.ledger.epoch.constants, rules=genesis.EVENT_RULES
        )
        self.folder = str(stored_home.write(folder, first, self.ledger.chain))

    def _pass(self, day: int) -> None:
        if day == 3:
            self.earlier = self._called(day)
            return
        begin_ms = BASE_MS + day * DAY_MS
        for user in (HOUSE, NEIGHBOUR):
            self.ledger.measured(user, {1: 2_000 + 100 * day}, begin_ms=begin_ms)

    def _called(self, day: int) -> bytes:
        event = self.ledger.call(begin_ms=BASE_MS + day * DAY_MS, rule=RULE)
        self.ledger.deliver(event, {HOUSE: 2_400, NEIGHBOUR: 1_000})
        return event

    @property
    def statement(self) -> ResultRow:
        return self.ledger.result(self.event, HOUSE)

    def words(self, *more: str) -> list[str]:
        window = (str(self.begin_ms // 1_000), str((self.begin_ms + 4 * INTERVAL_MS) // 1_000))
        return ["baseline", *OPTIONS, "--point", self.point, self.folder, "--event", *window, *more]


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> Season:
    return Season(tmp_path_factory.mktemp("season") / "gateway")


def test_the_answer_is_the_statement(season: Season, capsys: pytest.CaptureFixture[str]) -> None:
    found = as_json(capsys, *season.words())
    stated = [(one.baseline_mj, one.energy.energy_mwh) for one in season.statement.lines]
    energies = [one["energy_mwh"] for one in found["ledger"]["measured"]]
    assert stated == [
        (entry["baseline_mj"], energy)
        for entry, energy in zip(found["intervals"], energies, strict=True)
    ]
    # The two newest without an event; the second interval of each was another: 2,200, 2,400 W.
    assert [entry["baseline_mj"] // MJ_PER_WH for entry in found["intervals"]] == [
        *(700, 575, 700, 700)
    ]
    ledger = found["ledger"]
    assert (ledger["event"], ledger["statement"]) == (season.event.hex(), "initial")
    assert (ledger["rule_of_event"], ledger["equals_statement"]) == (True, True)


def test_days_of_other_events_make_no_baseline_and_are_named(
    season: Season, capsys: pytest.CaptureFixture[str]
) -> None:
    found = as_json(capsys, *season.words())
    (other,) = found["ledger"]["excluded_events"]
    assert other["event"] == season.earlier.hex()
    assert other["start"][:10] in [row["day"] for row in found["passed_over"]]
    assert other["start"][:10] not in found["days"]
    assert main(season.words()) == 0
    told = capsys.readouterr().out
    assert f"no baseline   {other['start'][:10]}: called in event {other['event'][:12]}" in told
    assert f"settled       event {season.event.hex()[:12]}, statement initial: equal to it" in told


def test_another_rule_is_told_apart(season: Season, capsys: pytest.CaptureFixture[str]) -> None:
    found = as_json(capsys, *season.words("--x", "3"))
    assert (found["ledger"]["rule_of_event"], found["ledger"]["equals_statement"]) == (False, None)
    assert any("has this window, and another rule: two-days" in note for note in found["notes"])


def test_a_day_named_here_makes_a_difference_that_is_told(
    season: Season, capsys: pytest.CaptureFixture[str]
) -> None:
    day = as_json(capsys, *season.words())["days"][0]
    found = as_json(capsys, *season.words("--exclude", day))
    assert found["ledger"]["equals_statement"] is False
    assert any("statement of this event says otherwise" in note for note in found["notes"])


def test_a_window_without_data_is_unmeasured_by_name(
    season: Season, capsys: pytest.CaptureFixture[str]
) -> None:
    # Each day's readings end where the usual event does.
    begin_s = (season.begin_ms + 3 * INTERVAL_MS) // 1_000
    window = (str(begin_s), str(begin_s + 2 * INTERVAL_MS // 1_000))
    words = ["baseline", "--rule", "same-day-3-plus-2", "--window-before", "1h-0h"]
    words += ["--window-after", "none", "--point", season.point, season.folder, "--event", *window]
    found = as_json(capsys, *words)
    assert [entry["actual_wh"] for entry in found["intervals"]] == [100, None]
    assert found["unmeasured_intervals"] == 1
    assert any(note.startswith("unmeasured: ") for note in found["notes"])
    assert [one["how"] for one in found["ledger"]["measured"]] == ["register", "unmeasured"]


def test_too_little_history_says_for_how_long_it_is_kept(
    season: Season, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(season.words("--y", "5", "--least-days", "5")) != 0
    assert f"keeps what a point used for {MARKET.keep_days} days" in capsys.readouterr().err


def test_a_placebo_leaves_events_out(season: Season, capsys: pytest.CaptureFixture[str]) -> None:
    days = [str(as_json(capsys, *season.words())["days"][at]) for at in (1, 0)]
    hour = (season.begin_ms // 3_600_000) % 24
    words = ["placebo", "--rule", "same-day-3-plus-2", "--window-before", "30min-0h"]
    words += ["--window-after", "none", "--point", season.point, season.folder, "--days", "all"]
    # Three days, the second of which had an event.
    words += ["--from", days[0], "--to", days[1], "--hours", f"{hour}:15-{hour}:45"]
    found = as_json(capsys, *words)
    assert (found["days"], found["judged_by_all"]) == (2, 2)
    assert len(found["called"]) == 2
    assert days[0] < found["called"][0] < days[1] < found["called"][1]
    (row,) = found["rules"]
    assert row["actual_wh"] > 0


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--timezone", "UTC"), "--timezone: of a CSV file"),
        (("--time", "when", "--unit", "kW"), "--time, --unit: of a CSV file"),
    ],
)
def test_what_the_ledger_says_itself(
    season: Season, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], said: str
) -> None:
    assert said in refused(capsys, *season.words(*more))


def test_wrong_points(season: Season, capsys: pytest.CaptureFixture[str]) -> None:
    window = ("--event", "2026-07-15", "2026-07-16")
    rule = ("baseline", "--rule", "caiso-10-of-10")
    nobody = f"{bytes(8).hex()}/1"
    assert "not enrolled" in refused(capsys, *rule, "--point", nobody, season.folder, *window)
    other = season.point.replace("/1", "/7")
    assert "has the devices 1" in refused(capsys, *rule, "--point", other, season.folder, *window)
    assert "folder" in refused(capsys, *rule, "--point", season.point, *window)
    csv = ("--csv", "load.csv", "--time", "t", "--power", "p", "--unit", "W")
    assert "--csv needs --stamp too" in refused(capsys, *rule, *csv, *window)
    told = refused(capsys, *rule, *csv, "--stamp", "end", season.folder, *window)
    assert "a gateway's folder goes with --point" in told


def test_a_point_without_adjustable_capacity_has_no_energies_kept(
    season: Season, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [season.plain if word == season.point else word for word in season.words()]
    assert "has no adjustable capacity" in refused(capsys, *words)


def test_a_ledger_of_older_rules_keeps_no_energies(
    tmp_path: Path, season: Season, capsys: pytest.CaptureFixture[str]
) -> None:
    first = genesis_of(*MEMBERS, rules=genesis.ACCOUNT_RULES)
    chain = CommitChain(first_epoch(first), *MEMBERS)
    older = str(stored_home.write(tmp_path / "older", first, chain))
    words = [older if word == season.folder else word for word in season.words()]
    assert "alliance upgrade" in refused(capsys, *words)
