"""`wattle-gateway energy`: what a point used, from the samples on a real gateway's ledger."""

import json
import time
from collections.abc import Iterator

import pytest
from wattle_gateway.cli.arguments import parser
from wattle_testkit.alliance import reading
from wattle_testkit.gateway_process import GatewayProcess, command
from wattle_testkit.paper_meter import PaperMeter

MINUTE_MS = 60_000
PERIOD_MS = 20_000
MINUTES = 5

pytestmark = pytest.mark.xdist_group("energy-command")


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GatewayProcess, str, int]]:
    """(gateway, point, beginning): five minutes at 3 kW, the third of them without readings."""
    gateway = GatewayProcess(tmp_path_factory.mktemp("energy") / "gateway")
    gateway.start()
    try:
        board = gateway.board("first")
        gateway.enrol(board)
        now_ms = time.time_ns() // 1_000_000
        begin_ms = now_ms - now_ms % MINUTE_MS - (MINUTES + 1) * MINUTE_MS
        times = range(begin_ms, begin_ms + MINUTES * MINUTE_MS + 1, PERIOD_MS)
        silent = range(begin_ms + 2 * MINUTE_MS + 1, begin_ms + 3 * MINUTE_MS)
        readings = [
            reading(at_ms, ei=1_000 + (at_ms - begin_ms) * 3 // 3_600, p=30_000)
            for at_ms in times
            if at_ms not in silent
        ]
        with PaperMeter(board, gateway) as meter:
            meter.send(board.sample(1, readings))
            meter.await_final(1)
        yield gateway, f"{board.kid.hex()}/1", begin_ms
    finally:
        gateway.kill()


def energy(ledger: tuple[GatewayProcess, str, int], *words: str) -> str:
    gateway, point, begin_ms = ledger
    end_ms = begin_ms + MINUTES * MINUTE_MS
    span = ("--from", str(begin_ms), "--to", str(end_ms))
    return command("energy", gateway.folder, point, *span, *words).stdout


def test_each_interval_with_what_it_rests_on(ledger: tuple[GatewayProcess, str, int]) -> None:
    found = json.loads(energy(ledger, "--interval", "1m", "--format", "json"))
    assert (found["point"], found["period_ms"], found["resolution_wh"]) == (ledger[1], 20_000, 1)
    lines = found["intervals"]
    assert [line["begin_ms"] for line in lines] == [
        ledger[2] + minute * MINUTE_MS for minute in range(MINUTES)
    ]
    # 50 Wh a minute; a register of 1 Wh resolves no minute, and the silent one breaks the longer.
    assert [line["how"] for line in lines] == [
        "integrated", "integrated", "unmeasured", "integrated", "integrated",
    ]  # fmt: skip
    assert [line["energy_mwh"] for line in lines] == [50_000, 50_000, None, 50_000, 50_000]
    samples = json.loads(command("samples", ledger[0].folder, "--format", "json").stdout)
    (index,) = {row["ledger_index"] for row in samples}
    assert {tuple(line["ledger_indexes"]) for line in lines} == {(index, index)}
    assert lines[0]["classes"] == []


def test_a_longer_interval_is_read_off_the_register(
    ledger: tuple[GatewayProcess, str, int],
) -> None:
    gateway, point, begin_ms = ledger
    span = ("--from", str(begin_ms), "--to", str(begin_ms + 4 * MINUTE_MS))
    rows = command(
        "energy", gateway.folder, point, *span, "--interval", "2m", "--format", "csv"
    ).stdout.splitlines()
    assert rows[0] == "begin,end,energy_wh,uncertainty_wh,how,readings,classes,entries"
    # Two minutes begin at even ones: of four minutes one or two are whole.
    whole = [row for row in rows[1:] if ",register," in row]
    assert whole and all(",100.000," in row for row in whole)  # noqa: PT018


def test_people_see_a_table(ledger: tuple[GatewayProcess, str, int]) -> None:
    table = energy(ledger, "--interval", "1m")
    assert f"{ledger[1]}: net import, ratio 1/1, a reading every 20 s" in table
    assert "unmeasured" in table


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["0011223344556677/1", "--from", "1", "--to", "9000000"], "is not enrolled"),
        (["METER/2", "--from", "1", "--to", "9000000"], "has the devices 1"),
        (["METER", "--from", "1", "--to", "9000000"], "expected METER/D"),
        (["xyz/1", "--from", "1", "--to", "9000000"], "expected METER/D"),
        (["METER/1", "--from", "2", "--to", "2"], "is not before"),
        (["METER/1", "--from", "1", "--to", "900000"], "no whole interval of 900 s"),
        (["METER/1", "--from", "0", "--to", "900000000000"], "at most 100000"),
    ],
)
def test_what_is_wrong_is_named(
    ledger: tuple[GatewayProcess, str, int], words: list[str], said: str
) -> None:
    gateway, point, _ = ledger
    asked = [word.replace("METER", point.partition("/")[0]) for word in words]
    refused = command("energy", gateway.folder, *asked)
    assert refused.returncode == 2
    assert said in refused.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--interval", "7m"], "expected a part of a day"),
        (["--interval", "15"], "expected a part of a day"),
        (["--period", "0s"], "expected a part of a day"),
        (["--resolution", "0"], "expected Wh"),
    ],
)
def test_lengths_and_steps_that_are_none_are_refused(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["energy", "DIR", "x/1", "--from", "0", "--to", "9", *words])
    assert said in capsys.readouterr().err
