"""dr fund, contract, dispute, statement at a running gateway: what an operator reads."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from wattle_gateway.cli import main
from wattle_gateway.home.identity import load_member
from wattle_testkit.account_ledger import User
from wattle_testkit.alliance_commands import show
from wattle_testkit.gateway_process import GatewayProcess, command

EXIT_REFUSED = 7
EXIT_USAGE = 2


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A running retailer, rules 3, that has issued 100.00 CNY to itself."""
    words = ("--role", "retailer", "--rules", "3")
    made = GatewayProcess(tmp_path_factory.mktemp("settlement") / "gateway", *words)
    made.start()
    try:
        done = command("account", "issue", made.folder, "CNY", "100", "--decimals", "2")
        assert done.returncode == 0, done.stderr
        yield made
    finally:
        made.kill()


def own(gateway: GatewayProcess) -> str:
    return load_member(gateway.home).kid.hex()


def units(gateway: GatewayProcess) -> tuple[int, int]:
    """Unlocked and locked, of its only account."""
    shown = json.loads(command("account", "show", gateway.folder, "--format", "json").stdout)
    (account,) = shown["accounts"]
    return account["unlocked_units"], account["locked_units"]


def test_a_fund_locks_its_money(gateway: GatewayProcess) -> None:
    words = ("green-peak", "40.50", "CNY", "--spender", own(gateway), "--until", "2999-01-01")
    unlocked, locked = units(gateway)
    done = command("dr", "fund", gateway.folder, *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("40.50 CNY for green-peak until 2999-01-01 00:00:00 UTC")
    assert units(gateway) == (unlocked - 4_050, locked + 4_050)


def test_a_fund_says_what_it_pays(gateway: GatewayProcess) -> None:
    words = ("frost", "10", "CNY", "--spender", own(gateway), "--until", "2999-01-01")
    limits = (
        *("--method", "fixed", "--method", "bid", "--area", "north/feeder-7"),
        *("--down", "--from", "2998-01-01", "--to", "2998-02-01"),
        *("--max-availability", "50", "--max-energy", "400.25", "--max-event", "5"),
    )
    done = command("dr", "fund", gateway.folder, *words, *limits)
    assert done.returncode == 0, done.stderr
    said = (
        "fixed or bid, in north/feeder-7, down, from 2998-01-01 00:00:00, to 2998-02-01 00:00:00,"
        " availability up to 50.00, energy up to 400.25, an event up to 5.00"
    )
    assert said in done.stdout
    listed = json.loads(command("dr", "funds", gateway.folder, "--format", "json").stdout)
    (fund,) = (one for one in listed if one["purpose"] == "frost")
    begin_ms = 32_440_608_000_000
    assert fund["limits"] == {
        "methods": ["fixed", "bid"],
        "area": "north/feeder-7",
        "direction": "down",
        "from_ms": begin_ms,
        "to_ms": begin_ms + 31 * 86_400_000,
        "availability_price": 5_000,
        "energy_price": 40_025,
        "event_amount": 500,
    }
    text = command("dr", "funds", gateway.folder).stdout
    assert "an event up" in text


@pytest.mark.parametrize(
    ("option", "word", "said"),
    [
        ("--area", "North", "expected a name"),
        ("--method", "raffle", "invalid choice"),
        ("--down", "--up", "not allowed with argument --down"),
    ],
)
def test_a_limit_of_no_such_word(
    option: str, word: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("dr", "fund", ".", "p", "1", "CNY", "--spender", "s", "--until", "2999-01-01")
    with pytest.raises(SystemExit):
        main([*words, option, word])
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (("--max-event", "0"), "expected 0.01"),
        (("--max-energy", "1.234"), "3 digits after the point"),
        (("--from", "2998-01-02", "--to", "2998-01-01"), "no time"),
        (("--to", "soon"), "expected Unix ms or ISO 8601"),
    ],
)
def test_a_limit_that_is_none(gateway: GatewayProcess, limits: tuple[str, ...], said: str) -> None:
    words = ("p", "1", "CNY", "--spender", own(gateway), "--until", "2999-01-01")
    done = command("dr", "fund", gateway.folder, *words, *limits)
    assert (done.returncode, said in done.stderr) == (EXIT_USAGE, True), done.stderr


def test_more_than_there_is_is_refused(gateway: GatewayProcess) -> None:
    words = ("p", "1000", "CNY", "--spender", own(gateway), "--until", "2999-01-01")
    done = command("dr", "fund", gateway.folder, *words)
    assert (done.returncode, "balance_short" in done.stderr) == (EXIT_REFUSED, True)


def test_a_purpose_is_a_plain_word(gateway: GatewayProcess) -> None:
    words = ("Green Peak", "1", "CNY", "--spender", own(gateway), "--until", "2999-01-01")
    done = command("dr", "fund", gateway.folder, *words)
    assert (done.returncode, "expected [a-z0-9-]" in done.stderr) == (EXIT_USAGE, True)


def test_nobody_agrees_with_itself(gateway: GatewayProcess) -> None:
    words = ("--asset", "CNY", "--energy", "50", "--from", "2999-01-01", "--until", "2999-02-01")
    done = command("dr", "contract", gateway.folder, own(gateway), *words)
    said = "nothing was sent: to_itself"
    assert (done.returncode, said in done.stderr) == (EXIT_USAGE, True), done.stderr
    profile = command("dr", "profile", gateway.folder, own(gateway), "--format", "json")
    assert "error" not in json.loads(profile.stdout)["faults"]


def test_a_contract_says_which_part_is_the_users(gateway: GatewayProcess, tmp_path: Path) -> None:
    user = User("house 9")
    word = tmp_path / "house.word"
    word.write_bytes(user.word(gateway.epoch, gateway.member))
    assert command("party", "register", gateway.folder, word).returncode == 0
    words = ("--asset", "CNY", "--from", "2999-01-01", "--until", "2999-02-01", "--split")
    offer = ("dr", "contract", gateway.folder, "house 9", *words)
    done = command(*offer, "12.5%")
    assert done.returncode == 0, done.stderr
    (waiting,) = show(gateway)["waiting"]
    assert "12.5 % are its own" in waiting["what"]
    for part, said in (("12.55%", "expected a percentage such as 20%"), ("101%", "0 to 1000")):
        done = command(*offer, part)
        assert (done.returncode, said in done.stderr) == (EXIT_USAGE, True), done.stderr


def test_an_event_beyond_a_fund_is_not_sent(gateway: GatewayProcess) -> None:
    words = ("flood", "5", "CNY", "--spender", own(gateway), "--until", "2999-01-01")
    limits = ("--area", "south", "--method", "fixed")
    done = command("dr", "fund", gateway.folder, *words, *limits, "--format", "json")
    fund = json.loads(done.stdout)["digest"]
    event = ("--quantity", "1kW", "--begin", "+2h", "--for", "1h", "--asset", "CNY")
    paid = ("--energy", "100", "--baseline", "same-day-3-plus-2", "--fund", fund)
    publish = ("dr", "publish", gateway.folder, "--method", "fixed", "--down", *event, *paid)
    done = command(*publish, "--area", "north")
    said = "nothing was sent: fund_area"
    assert (done.returncode, said in done.stderr) == (EXIT_USAGE, True), done.stderr
    done = command(*publish, "--area", "south/feeder-2")
    assert done.returncode == 0, done.stderr


def test_without_events_there_is_nothing_to_state_or_dispute(gateway: GatewayProcess) -> None:
    statement = ("dr", "statement", gateway.folder, own(gateway))
    done = command(*statement, "--month", "2026-11")
    assert (done.returncode, "nothing to do with any" in done.stdout) == (0, True)
    content = json.loads(command(*statement, "--month", "2026-11", "--format", "json").stdout)
    assert content["statements"] == []
    rows = command(*statement, "--month", "2026-11", "--format", "csv").stdout.splitlines()
    assert (len(rows), rows[0].split(",")[:3]) == (1, ["event", "point", "roles"])
    listed = command("dr", "dispute", "list", gateway.folder, "--format", "json")
    assert json.loads(listed.stdout) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("statement", "nobody", "--month", "2026-11"), "no party"),
        (("statement", "OWN", "--month", "2026-13"), "month"),
        (("statement", "OWN", "--event", "abcd"), "0 events begin"),
        (("fund", "p", "1", "EUR", "--spender", "OWN", "--until", "2999-01-01"), "no asset EUR"),
    ],
)
def test_wrong_words(gateway: GatewayProcess, words: tuple[str, ...], said: str) -> None:
    named = [own(gateway) if word == "OWN" else word for word in words[1:]]
    done = command("dr", words[0], gateway.folder, *named)
    assert (done.returncode, said in done.stderr) == (EXIT_USAGE, True), done.stderr


@pytest.mark.parametrize("step", [("answer", "abcd", "no"), ("decide", "abcd", "1", "so be it")])
def test_disputes_that_are_not_there(gateway: GatewayProcess, step: tuple[str, ...]) -> None:
    done = command("dr", "dispute", step[0], gateway.folder, *step[1:])
    assert (done.returncode, "0 disputes begin with" in done.stderr) == (EXIT_USAGE, True)


def test_a_ledger_of_older_rules_has_no_statements(tmp_path: Path) -> None:
    older = GatewayProcess(tmp_path / "older", "--rules", "2")
    words = ("dr", "statement", older.folder, own(older), "--month", "2026-11")
    done = command(*words)
    assert (done.returncode, "alliance upgrade" in done.stderr) == (EXIT_USAGE, True)
