"""dr offer, retract, pool, select at a running gateway: from an owner's offer to a choice."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from wattle_gateway.cli.main import main
from wattle_testkit.gateway_process import GatewayProcess, command

TERMS = (
    "--area", "north", "--capacity", "3kW", "--called", "500W", "--asset", "CNY",
    "--price", "90.50", "--within", "2s", "--holds", "1h",
)  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GatewayProcess, str]]:
    """(a running gateway that issues CNY, the meter with two loads of 3 kW)."""
    folder = tmp_path_factory.mktemp("loads")
    gateway = GatewayProcess(folder / "gateway")
    gateway.start()
    try:
        proof = folder / "enrol.cbor"
        board = gateway.board("first")
        proof.write_bytes(board.proof())
        points = ("--points", "1:5000:3000,2:5000:3000")
        for words in (
            ("meters", "enrol", gateway.folder, proof, *points),
            ("account", "issue", gateway.folder, "CNY", "1", "--decimals", "2"),
        ):
            done = command(*words)
            assert done.returncode == 0, done.stderr
        yield gateway, board.kid.hex()
    finally:
        gateway.kill()


def offer(site: tuple[GatewayProcess, str], device: int, *words: str) -> str:
    gateway, meter = site
    done = command("dr", "offer", gateway.folder, f"{meter}/{device}", *TERMS, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def select(site: tuple[GatewayProcess, str], need: str) -> tuple[int, str]:
    done = command(
        "dr", "select", site[0].folder, "--need", need, "--within", "5s", "--for", "15min",
        "--format", "json",
    )  # fmt: skip
    return done.returncode, done.stdout


def test_from_an_offer_to_a_choice_and_back(site: tuple[GatewayProcess, str]) -> None:
    gateway, meter = site
    assert offer(site, 1) == f"{meter}/1 offers 3000 W down\n"
    offer(site, 2, "--price", "0", "--capacity", "1.5kW")
    (line,) = json.loads(command("dr", "pool", gateway.folder, "--format", "json").stdout)
    assert line == {
        "area": "north",
        "direction": "down",
        "within_ms": 5_000,
        "loads": 2,
        "registered_w": 6_000,
        "offered_w": 4_500,
        "called_w": 0,
        "confirmed_w": 0,
    }
    code, said = select(site, "2kW")
    found = json.loads(said)
    assert (code, found["enough"], found["reached_w"]) == (0, True, 3_000)
    assert [(load["point"], load["why"], load["price"]) for load in found["loads"]] == [
        (f"{meter}/2", "dearer", 0),  # free, but 1.5 kW alone are not enough
        (f"{meter}/1", "chosen", 9_050),
    ]
    code, said = select(site, "10kW")
    assert (code, json.loads(said)["enough"]) == (1, False)
    words = ("dr", "select", gateway.folder, "--need", "10kW", "--within", "5s", "--for", "1h")
    shown = command(*words).stdout
    assert "not enough" in shown
    assert "90.50 CNY" in shown
    assert "offered kW" in command("dr", "pool", gateway.folder).stdout
    offer(site, 2, "--price", "90.50", "--area", "north/feeder-7/section-2")
    words = ("dr", "select", gateway.folder, "--need", "3kW", "--within", "5s", "--for", "1h")
    near = (*words, "--near", "north/feeder-7", "--area", "north")
    loads = json.loads(command(*near, "--format", "json").stdout)["loads"]
    assert [(load["point"], load["why"], load["distance"]) for load in loads] == [
        (f"{meter}/2", "chosen", 0),
        (f"{meter}/1", "dearer", 1),
    ]
    assert "near north/feeder-7" in command(*near).stdout
    for device in (1, 2):
        done = command("dr", "retract", gateway.folder, f"{meter}/{device}")
        assert done.stdout == f"{meter}/{device} offers nothing any more\n"
    (line,) = json.loads(command("dr", "pool", gateway.folder, "--format", "json").stdout)
    assert (line["area"], line["loads"], line["offered_w"]) == (None, 2, 0)


@pytest.mark.parametrize(
    ("device", "words", "code", "said"),
    [
        (1, ("--capacity", "3001W"), 7, "above_capacity"),
        (3, (), 7, "point_unknown"),
        (1, ("--asset", "EUR"), 2, "there is no asset EUR"),
        (1, ("--price", "1.234"), 2, "has 3 digits after the point, CNY has 2"),
        (1, ("--within", "2h"), 2, "response_ms"),
        (1, ("--capacity", "0W"), 2, "capacity_w is 0"),
        (0, (), 2, "expected METER/D"),
    ],
)
def test_what_is_wrong_with_an_offer_is_named(
    site: tuple[GatewayProcess, str], device: int, words: tuple[str, ...], code: int, said: str
) -> None:
    gateway, meter = site
    done = command("dr", "offer", gateway.folder, f"{meter}/{device}", *TERMS, *words)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("dr", "offer", "DIR", "dab1a5856b562aeb/1", *TERMS, "--area", "north/"),
        ("dr", "pool", "DIR", "--area", "north/"),
        ("dr", "select", "DIR", "--need", "1W", "--near", "north/"),
        ("dr", "events", "DIR", "--area", "north/"),
        ("dr", "publish", "DIR", "--near", "north/"),
        ("dr", "publish", "DIR", "--area", "north/"),
    ],
)
def test_a_place_that_is_none_is_named(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert f"{words[-2]}: area 'north/', expected a name [a-z0-9-]{{1,32}}, or the way" in said


def test_older_rules_know_no_path(tmp_path: Path) -> None:
    made = GatewayProcess(tmp_path / "old", "--rules", "2")
    path = (*TERMS, "--area", "north/feeder-7")
    refused = command("dr", "offer", made.folder, "dab1a5856b562aeb/1", *path)
    assert refused.returncode == 2
    assert "is a path, which rules 2 of this ledger do not know" in refused.stderr


def test_a_need_of_nothing_is_none(site: tuple[GatewayProcess, str], tmp_path: Path) -> None:
    words = ("dr", "select", site[0].folder, "--need", "0W", "--within", "5s", "--for", "1h")
    refused = command(*words)
    assert (refused.returncode, "0 W" in refused.stderr) == (2, True)
    refused = command("dr", "pool", tmp_path)
    assert refused.returncode == 4
