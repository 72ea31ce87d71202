"""account, party and points at a gateway alone: from rules 1 on, and what goes wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from wattle_gateway.errors import UsageError
from wattle_gateway.ledger import transaction
from wattle_gateway.ledger.account_bodies import Issue
from wattle_testkit.account_ledger import User
from wattle_testkit.alliance import Party
from wattle_testkit.alliance_commands import said, show
from wattle_testkit.gateway_process import GatewayProcess, command
from wattle_wire import cbor

FAR_MS = 1 << 52


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A running aggregator that has issued 12.50 CNY to itself."""
    with running(tmp_path_factory.mktemp("alone")) as made:
        done = command("account", "issue", made.folder, "CNY", "12.5", "--decimals", "2")
        assert done.returncode == 0, done.stderr
        yield made


@contextmanager
def running(folder: Path, *words: str) -> Iterator[GatewayProcess]:
    """A running aggregator."""
    made = GatewayProcess(folder / "gateway", "--role", "aggregator", "--name", "agnes", *words)
    try:
        made.start()
        yield made
    finally:
        made.kill()


def test_a_ledger_of_rules_1_is_upgraded_and_then_has_accounts(tmp_path: Path) -> None:
    with running(tmp_path, "--rules", "1") as gateway:
        words = ("account", "issue", gateway.folder, "CNY", "12.5", "--decimals", "2")
        done = command(*words)
        assert (done.returncode, "kind_unknown" in done.stderr) == (7, True)
        assert "wattle-gateway alliance upgrade" in done.stderr
        (decision,) = said("alliance", "upgrade", gateway.folder)
        assert (decision["decided"], decision["epoch"]) == (True, 1)
        done = command("alliance", "upgrade", gateway.folder)
        assert (done.returncode, "knows no newer" in done.stderr) == (2, True)
        done = command(*words)
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"issued 12.50 CNY to agnes ({gateway.member.kid.hex()})\n"
        assert said("account", "show", gateway.folder)["accounts"] == [
            {
                "party": {"name": "agnes", "kid": gateway.member.kid.hex()},
                "asset": "CNY",
                "decimals": 2,
                "unlocked": "12.50",
                "locked": "0.00",
                "locks": 0,
                "unlocked_units": 1250,
                "locked_units": 0,
            }
        ]
        assert show(gateway)["waiting"] == []


def test_who_is_no_party_is_told_so(gateway: GatewayProcess, tmp_path: Path) -> None:
    key, word = tmp_path / "user.pem", tmp_path / "user.word"
    site_file = gateway.folder / "site.json"
    done = command("party", "word", site_file, key, "--name", "house 7", "--output", word)
    assert done.returncode == 0, done.stderr
    assert "to agnes, whose operator says:\n    wattle-gateway party register DIR user.word" in (
        done.stdout
    )
    assert key.stat().st_mode & 0o777 == 0o600
    done = command("account", "open", gateway.folder, "CNY", "--key", key)
    assert (done.returncode, "is no party of this ledger" in done.stderr) == (2, True)
    done = command("party", "register", gateway.folder, word)
    assert (done.returncode, "is a party of the ledger now" in done.stdout) == (0, True)
    assert command("account", "open", gateway.folder, "CNY", "--key", key).returncode == 0
    listed = command("party", "list", gateway.folder).stdout
    assert "house 7" in listed
    assert "hosted user" in listed
    done = command("party", "register", gateway.folder, word)
    assert (done.returncode, "word_stale" in done.stderr) == (7, True)


@pytest.mark.parametrize(
    ("words", "said_"),
    [
        (("account", "transfer", "DIR", "cny", "1", "agnes"), "asset 'cny', expected [A-Z]"),
        (("account", "transfer", "DIR", "CNY", "x", "agnes"), "expected a number such as 12.50"),
        (("account", "issue", "DIR", "CNY", "1", "--decimals", "3"), "declared with 2 decimals"),
        (("account", "issue", "DIR", "NEW", "1", "--decimals", "10"), "--decimals 0 to 9"),
        (("account", "show", "DIR", "--asset", "EUR"), "there is no asset EUR"),
        (("account", "unlock", "DIR", "abc"), "0 locks begin with 'abc'"),
        (("account", "lock", "DIR", "CNY", "1", "agnes", "--until", "soon"), "time 'soon'"),
        (("meters", "assign", "DIR", "xyz/1", "agnes"), "expected METER/D"),
        (("meters", "assign", "DIR", "00112233aabbccdd/1", "agnes"), "no point"),
        (("party", "register", "DIR", "DIR/site.json"), "no word for this ledger"),
        (("party", "register", "DIR", "DIR/nothing"), "cannot be read"),
        (("alliance", "approve", "DIR", "abc", "--key", "DIR/keys/block.pem"), "64 digits"),
    ],
)
def test_what_cannot_be_is_said_clearly(
    gateway: GatewayProcess, words: tuple[str, ...], said_: str
) -> None:
    done = command(*(word.replace("DIR", str(gateway.folder)) for word in words))
    assert (done.returncode, said_ in done.stderr) == (2, True), done.stderr


def test_two_of_one_name_have_to_be_told_apart(gateway: GatewayProcess, tmp_path: Path) -> None:
    for name in ("one", "two"):
        words = ("--name", "twin", "--output", tmp_path / f"{name}.word")
        command("party", "word", gateway.folder / "site.json", tmp_path / f"{name}.pem", *words)
        assert command("party", "register", gateway.folder, words[-1]).returncode == 0
    done = command("account", "transfer", gateway.folder, "CNY", "1", "twin")
    assert (done.returncode, "2 parties are called 'twin'" in done.stderr) == (2, True)


class TestAdminChannel:
    """What the running gateway takes from the command line, or from whoever opens its socket."""

    def carried(self, gateway: GatewayProcess, signer: User | Party, nonce: int) -> str:
        raw = transaction.build(
            gateway.epoch.ledger_id,
            signer.kid,
            signer.sign,
            lane=0,
            nonce=nonce,
            until_ms=FAR_MS,
            kind=transaction.OPEN,
            body=["CNY"],
        )
        return raw.hex()

    def test_a_stranger_is_not_carried(self, gateway: GatewayProcess) -> None:
        with pytest.raises(UsageError, match="is no party of this ledger"):
            gateway.ask("carry", transaction=self.carried(gateway, User("stranger"), 0))

    @pytest.mark.parametrize("sent", ["zz", None, "00", "00" * 2_000])
    def test_rubbish_is_not_carried(self, gateway: GatewayProcess, sent: object) -> None:
        with pytest.raises(UsageError):
            gateway.ask("carry", transaction=sent)

    def test_a_wrong_nonce_is_told_at_once(self, gateway: GatewayProcess, tmp_path: Path) -> None:
        user = User("of nonces")
        word = tmp_path / "word"
        word.write_bytes(user.word(gateway.epoch, gateway.member))
        said("party", "register", gateway.folder, word)
        assert gateway.ask("turn", party=user.kid.hex())["nonce"] == 0
        with pytest.raises(UsageError, match="it has nonce 1 in lane 0, expected 0"):
            gateway.ask("carry", transaction=self.carried(gateway, user, 1))
        gateway.ask("carry", transaction=self.carried(gateway, user, 0))
        with pytest.raises(UsageError, match="it has nonce 0 in lane 0, expected 1"):
            gateway.ask("carry", transaction=self.carried(gateway, user, 0))

    @pytest.mark.parametrize(
        ("kind", "body"),
        [
            (transaction.CHANGE, [1]),
            (99, ["CNY"]),
            (transaction.OPEN, ["cny"]),
            (transaction.ISSUE, Issue("CNY", 2, bytes(8), 1).row()[:3]),
            (None, ["CNY"]),
        ],
    )
    def test_only_sound_bodies_are_signed(
        self, gateway: GatewayProcess, kind: object, body: object
    ) -> None:
        with pytest.raises(UsageError, match="send: "):
            gateway.ask("send", kind=kind, body=cbor.encode(body).hex())

    @pytest.mark.parametrize("party", ["zz", "00", None])
    def test_turns_are_of_kids(self, gateway: GatewayProcess, party: object) -> None:
        with pytest.raises(UsageError, match="turn: "):
            gateway.ask("turn", party=party)


def test_a_stopped_gateway_shows_accounts_and_moves_none(tmp_path: Path) -> None:
    with running(tmp_path) as gateway:
        command("account", "issue", gateway.folder, "CNY", "12.5", "--decimals", "2")
        assert gateway.stop() == 0
        assert "12.50" in command("account", "show", gateway.folder).stdout
        done = command("account", "transfer", gateway.folder, "CNY", "1", "agnes")
        assert (done.returncode, "no gateway is running" in done.stderr) == (5, True)
        assert command("audit", gateway.folder).returncode == 0
