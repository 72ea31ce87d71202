"""Folders for several: founded together, invited, joined; whole or not there at all."""

import json
from pathlib import Path

import pytest
from wattle_gateway.errors import HomeError, UsageError
from wattle_gateway.home import create, invitation, lost_ledger
from wattle_gateway.home.identity import load_identity
from wattle_gateway.home.invitation import Invitation
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ledger import genesis
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.ledger.market import Market
from wattle_gateway.peers.address_book import AddressBook
from wattle_gateway.store.operation_file import OperationFile
from wattle_testkit.gateway_folders import FOUNDED_MS as NOW_MS
from wattle_testkit.gateway_folders import choice, founded


def invite(by: GatewayHome, path: Path, *kids: bytes) -> Invitation:
    return invitation.write_invitation(
        by, path, kids, NOW_MS + 1000, NOW_MS, name="c", role=genesis.GRID_COMPANY
    )


def cards_in(home: GatewayHome) -> set[bytes]:
    ledger_id = load_identity(home).genesis.ledger_id
    operation = OperationFile(home.operation, ledger_id)
    try:
        return set(AddressBook(operation, ledger_id)._cards)
    finally:
        operation.close()


class TestFounding:
    def test_all_know_all(self, tmp_path: Path) -> None:
        homes = founded(tmp_path, "a", "b", "c")
        identities = [load_identity(home) for home in homes]
        assert len({identity.genesis.raw for identity in identities}) == 1
        kids = {identity.kid for identity in identities}
        assert {member.kid for member in identities[0].genesis.members} == kids
        assert all(cards_in(home) == kids for home in homes)
        for home, identity in zip(homes, identities, strict=True):
            site = json.loads(home.bundle.read_text())
            assert site["gateways"][0]["link_key"] == identity.member.link_key.hex()
            assert len(site["gateways"]) == 3
        # Behind the own one they begin with the next kid, so that not all fall upon the same.
        seconds = {json.loads(home.bundle.read_text())["gateways"][1]["name"] for home in homes}
        assert seconds == {"a", "b", "c"}

    def test_observers_are_members_that_serve_no_meters(self, tmp_path: Path) -> None:
        gateways = [
            (tmp_path / "a", choice("a")),
            (tmp_path / "b", choice("b", role=genesis.OBSERVER)),
        ]
        home, _ = create.create_alliance("test.wattle", gateways, NOW_MS)
        site = json.loads(home.bundle.read_text())
        assert [row["name"] for row in site["gateways"]] == ["a"]
        assert {row["name"] for row in site["members"]} == {"a", "b"}

    def test_constants_are_those_that_were_chosen(self, tmp_path: Path) -> None:
        constants = Constants(enrol_approvals=1, market=Market())
        (home,) = create.create_alliance(
            "test.wattle", [(tmp_path / "a", choice("a"))], NOW_MS, constants
        )
        assert load_identity(home).genesis.constants == constants

    def test_one_folder_that_cannot_be_made_leaves_none(self, tmp_path: Path) -> None:
        (tmp_path / "b").mkdir()
        (tmp_path / "b" / "mine").write_text("precious")
        with pytest.raises(HomeError, match="exists and is not empty"):
            founded(tmp_path, "a", "b")
        assert [path.name for path in tmp_path.iterdir()] == ["b"]
        with pytest.raises(LedgerError, match="role"):
            create.create_alliance("x", [(tmp_path / "c", choice("c", role=9))], NOW_MS)
        assert [path.name for path in tmp_path.iterdir()] == ["b"]

    def test_keys_that_do_not_fit_the_row_are_named(self, tmp_path: Path) -> None:
        one, two = founded(tmp_path, "a", "b")
        two.key("link").replace(one.key("link"))
        with pytest.raises(HomeError, match=r"not the link key in member\.cbor"):
            load_identity(one)
        two.member.write_bytes(b"\x80")
        with pytest.raises(HomeError, match=r"member\.cbor: damaged"):
            load_identity(two)


class TestInvitation:
    def test_the_invited_finds_ledger_and_inviter(self, tmp_path: Path) -> None:
        one, two = founded(tmp_path, "a", "b")
        path = tmp_path / "invitation.json"
        kids = [load_identity(home).kid for home in (one, two)]
        made = invite(one, path, *kids)
        assert path.stat().st_mode & 0o077 == 0
        assert invitation.load(path) == made
        assert (made.inviter, made.until_ms) == (kids[0], NOW_MS + 1000)
        home = create.create_joining(tmp_path / "c", made, choice("c"), NOW_MS)
        joined = load_identity(home)
        assert joined.genesis == load_identity(one).genesis
        assert joined.kid not in {member.kid for member in joined.genesis.members}
        assert cards_in(home) == {*kids, joined.kid}
        assert home.invitation.stat().st_mode & 0o077 == 0
        own = invitation.load_own(home)
        assert own is not None
        assert own.token == made.token
        assert invitation.load_own(one) is None

    def test_each_has_a_token_of_its_own(self, tmp_path: Path) -> None:
        (home,) = founded(tmp_path, "a")
        tokens = {invite(home, tmp_path / "i").token for _ in range(3)}
        assert len(tokens) == 3

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("format", 2),
            ("genesis_base64", "AAAA"),
            ("genesis_base64", "!"),
            ("token", "00"),
            ("token", 7),
            ("member", 7),
            ("member", {"name": "c", "role": 9}),
            ("inviter", "00" * 8),
            ("until_ms", "soon"),
            ("cards_base64", []),
            ("cards_base64", ["AAAA"]),
            ("cards_base64", 7),
            ("cards_base64", [""] * 40),
        ],
    )
    def test_a_damaged_one_is_a_clear_error(self, tmp_path: Path, key: str, value: object) -> None:
        (home,) = founded(tmp_path, "a")
        path = tmp_path / "invitation.json"
        invite(home, path)
        content = json.loads(path.read_bytes())
        content[key] = value
        path.write_text(json.dumps(content))
        with pytest.raises(UsageError, match=r"invitation\.json: "):
            invitation.load(path)

    @pytest.mark.parametrize("text", ["", "7", "[" * 50_000, " " * 300_001])
    def test_what_is_none_is_refused(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "invitation.json"
        path.write_text(text)
        with pytest.raises(UsageError, match=r"invitation\.json: "):
            invitation.load(path)

    def test_lost_cards_are_learned_from_one(self, tmp_path: Path) -> None:
        one, two = founded(tmp_path, "a", "b")
        two.operation.unlink()
        lost_ledger.make_up(two, load_identity(two))
        assert cards_in(two) == set()
        path = tmp_path / "invitation.json"
        made = invite(one, path)
        assert invitation.learn_cards(two, made) == 1
        assert invitation.learn_cards(two, made) == 0
        (stranger,) = founded(tmp_path / "other", "c")
        with pytest.raises(UsageError, match="the invitation is to ledger"):
            invitation.learn_cards(stranger, made)


class TestLostLedger:
    def test_alone_it_is_an_error(self, tmp_path: Path) -> None:
        (home,) = founded(tmp_path, "a")
        home.database.unlink()
        with pytest.raises(HomeError, match="restore a backup"):
            lost_ledger.make_up(home, load_identity(home))
        assert not home.database.exists()

    def test_one_that_grew_from_one_asks_the_others(self, tmp_path: Path) -> None:
        (home,) = founded(tmp_path, "a")
        identity = load_identity(home)
        # It has met another gateway since: that one may have the ledger.
        path = tmp_path / "invitation.json"
        made = invite(home, path)
        joiner = create.create_joining(tmp_path / "c", made, choice("c"), NOW_MS)
        operation = OperationFile(home.operation, identity.genesis.ledger_id)
        joined = OperationFile(joiner.operation, identity.genesis.ledger_id)
        try:
            theirs = AddressBook(joined, identity.genesis.ledger_id)
            card = theirs.card(load_identity(joiner).kid)
            assert card is not None
            AddressBook(operation, identity.genesis.ledger_id).take(card.raw)
        finally:
            operation.close()
            joined.close()
        home.database.unlink()
        lost_ledger.make_up(home, identity)
        assert home.database.exists()

    def test_what_is_there_is_left_alone(self, tmp_path: Path) -> None:
        home, _ = founded(tmp_path, "a", "b")
        before = home.database.read_bytes(), home.operation.read_bytes()
        lost_ledger.make_up(home, load_identity(home))
        assert (home.database.read_bytes(), home.operation.read_bytes()) == before
