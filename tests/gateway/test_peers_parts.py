"""The parts of peer links one by one: cards, invitations, pauses, standing, certificates."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID
from wattle_gateway.errors import PeerError
from wattle_gateway.ledger import peer_card
from wattle_gateway.peers import address_book, guests, pauses, standing
from wattle_gateway.peers.address_book import AddressBook, Reach
from wattle_gateway.peers.guests import GuestList
from wattle_gateway.peers.pauses import Backoff, Pauses, RateLimit
from wattle_gateway.peers.standing import Standing
from wattle_gateway.pki import authority, keys, peer_certificate
from wattle_gateway.store import connection
from wattle_gateway.store.operation_file import OperationFile
from wattle_testkit.alliance import CREATED_MS, Party, genesis_of, private_key

ONE, TWO = Party("one"), Party("two")
GENESIS = genesis_of(ONE, TWO)
REACH = Reach("gateway.example", 8884, "broker.example", 8883)


@pytest.fixture
def operation(tmp_path: Path) -> Iterator[OperationFile]:
    path = tmp_path / "operation.db"
    connection.create_operation(path, GENESIS.ledger_id)
    opened = OperationFile(path, GENESIS.ledger_id)
    yield opened
    opened.close()


def certificate(party: Party, name: str = "peer") -> bytes:
    key = private_key(f"{party.name} {name}")
    return authority.der(peer_certificate.issue(key, party.kid))


def card(party: Party, version: int, *, shown: bytes | None = None) -> bytes:
    return peer_card.build(
        GENESIS.ledger_id,
        party.kid,
        party.sign,
        version=version,
        certificate=shown or certificate(party),
        host="gateway.example",
        port=8884,
        broker_host="broker.example",
        broker_port=8883,
    )


class TestAddressBook:
    def test_the_newest_card_counts_and_survives_a_restart(self, operation: OperationFile) -> None:
        book = AddressBook(operation, GENESIS.ledger_id)
        assert book.take(card(ONE, 5)) is not None
        assert book.take(card(ONE, 5)) is None
        assert book.take(card(ONE, 4)) is None
        newer = book.take(card(ONE, 6))
        again = AddressBook(operation, GENESIS.ledger_id)
        assert again.card(ONE.kid) == newer
        assert again.cards_of([TWO.kid, ONE.kid]) == [newer]
        assert again.knows_others_than(TWO.kid)
        assert not again.knows_others_than(ONE.kid)

    def test_the_own_card_is_made_anew_only_when_it_would_be_wrong(
        self, operation: OperationFile
    ) -> None:
        book = AddressBook(operation, GENESIS.ledger_id)
        first = book.own(ONE.kid, ONE.sign, certificate(ONE), REACH, 1000)
        assert book.own(ONE.kid, ONE.sign, first.certificate, REACH, 2000) is first
        moved = book.own(
            ONE.kid, ONE.sign, first.certificate, Reach("new.example", 1, "b.example", 2), 3000
        )
        assert (moved.version, moved.host, moved.broker_port) == (3000, "new.example", 2)
        # A clock that was set back must not make a card that nobody takes.
        back = book.own(ONE.kid, ONE.sign, first.certificate, REACH, 10)
        assert back.version == 3001

    def test_it_does_not_grow_without_end_and_members_stay(
        self, operation: OperationFile, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(address_book, "CARDS_MAX", 3)
        book = AddressBook(operation, GENESIS.ledger_id)
        book.take(card(ONE, 1))
        for number in range(5):
            stranger = Party(f"stranger {number}")
            book.take(card(stranger, 10 + number), frozenset({ONE.kid}))
        assert book.card(ONE.kid) is not None
        assert len(AddressBook(operation, GENESIS.ledger_id)._cards) == 3
        assert book.card(Party("stranger 4").kid) is not None

    @pytest.mark.parametrize("what", ["another kid", "an authority", "of another key", "garbage"])
    def test_a_card_with_another_kind_of_certificate_is_refused(
        self, operation: OperationFile, what: str
    ) -> None:
        key = private_key("one peer")
        shown = {
            "another kid": certificate(TWO),
            "an authority": authority.der(authority.SiteAuthority.create(key, "x").certificate),
            "of another key": of_another_key(ONE),
            "garbage": b"certificate",
        }[what]
        book = AddressBook(operation, GENESIS.ledger_id)
        with pytest.raises(PeerError, match=f"card of {ONE.kid.hex()}"):
            book.take(card(ONE, 1, shown=shown))
        assert book.card(ONE.kid) is None


def of_another_key(party: Party) -> bytes:
    """The right name over a key that is not of P-256."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, party.kid.hex())])
    key = ed25519.Ed25519PrivateKey.generate()
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(authority.NOT_BEFORE)
        .not_valid_after(authority.NOT_AFTER)
        .sign(key, None)
    )
    return authority.der(built)


class TestCertificates:
    def test_they_hold_from_2000_on_for_clocks_that_know_no_better(self) -> None:
        der = certificate(ONE)
        made = x509.load_der_x509_certificate(der)
        assert made.not_valid_before_utc == datetime(2000, 1, 1, tzinfo=UTC)
        assert peer_certificate.check(der, ONE.kid) == made

    def test_one_that_another_signed_is_refused(self) -> None:
        own = x509.load_der_x509_certificate(certificate(ONE))
        forged = (
            x509.CertificateBuilder()
            .subject_name(own.subject)
            .issuer_name(own.subject)
            .public_key(own.public_key())
            .serial_number(1)
            .not_valid_before(authority.NOT_BEFORE)
            .not_valid_after(authority.NOT_AFTER)
            .sign(ec.generate_private_key(ec.SECP256R1()), SHA256())
        )
        with pytest.raises(PeerError, match="not a self-signed certificate"):
            peer_certificate.check(authority.der(forged), ONE.kid)

    def test_the_key_files_are_read_as_they_were_written(self, tmp_path: Path) -> None:
        made = keys.new_ed25519()
        keys.save_private(tmp_path / "key.pem", made)
        loaded = keys.load_ed25519(tmp_path / "key.pem")
        assert keys.checkpoint_public(loaded) == keys.checkpoint_public(made)


class TestInvitations:
    def test_open_ones_are_bounded_and_expired_ones_make_room(
        self, operation: OperationFile, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(guests, "INVITATIONS_MAX", 2)
        known = GuestList(operation)
        known.invite(b"1" * 32, CREATED_MS + 10, CREATED_MS)
        known.invite(b"2" * 32, CREATED_MS + 20, CREATED_MS)
        with pytest.raises(PeerError, match="2 invitations are open, expected at most 2"):
            known.invite(b"3" * 32, CREATED_MS + 20, CREATED_MS)
        known.invite(b"3" * 32, CREATED_MS + 20, CREATED_MS + 10)
        known.admit(b"3" * 32, ONE.kid, CREATED_MS + 11, is_member=False)

    def test_the_database_does_not_hold_the_token(
        self, operation: OperationFile, tmp_path: Path
    ) -> None:
        token = guests.new_token()
        GuestList(operation).invite(token, CREATED_MS + 10, CREATED_MS)
        assert not [path for path in tmp_path.iterdir() if token in path.read_bytes()]

    def test_a_guest_may_come_again_as_a_member_but_no_member_as_a_new_guest(
        self, operation: OperationFile
    ) -> None:
        known = GuestList(operation)
        known.invite(b"1" * 32, CREATED_MS + 10, CREATED_MS)
        with pytest.raises(PeerError, match="used by another"):
            known.admit(b"1" * 32, ONE.kid, CREATED_MS, is_member=True)
        known.admit(b"1" * 32, ONE.kid, CREATED_MS, is_member=False)
        known.admit(b"1" * 32, ONE.kid, CREATED_MS, is_member=True)
        with pytest.raises(PeerError, match="used by another"):
            known.admit(b"1" * 32, TWO.kid, CREATED_MS, is_member=False)


class TestPauses:
    def test_they_double_up_to_a_bound_and_begin_again(self) -> None:
        backoff = Backoff(Pauses(1.0, 5.0), lambda: 0.0)
        assert [backoff.next_s() for _ in range(5)] == [1.0, 2.0, 4.0, 5.0, 5.0]
        backoff.reset()
        assert backoff.next_s() == 1.0

    def test_jitter_shortens_them_by_up_to_half(self) -> None:
        backoff = Backoff(Pauses(4.0, 4.0), iter([0.0, 0.5, 0.99]).__next__)
        assert [backoff.next_s() for _ in range(3)] == pytest.approx([4.0, 3.0, 2.02])

    def test_a_rate_is_held_after_the_burst(self) -> None:
        rate = RateLimit(10.0, 3, 100.0)
        assert [rate.take(100.0) for _ in range(4)] == pytest.approx([0, 0, 0, 0.1])
        assert rate.take(100.2) == 0
        assert rate.take(1000.0) == 0
        assert [rate.take(1000.0) for _ in range(3)] == pytest.approx([0, 0, 0.1])

    def test_the_bounds_are_sane(self) -> None:
        assert pauses.FIRST_S < pauses.SOUND_S < pauses.MAX_S


class TestStanding:
    def test_three_faults_in_an_hour_keep_off_for_a_while(self) -> None:
        known = Standing()
        assert not known.fault(b"k", "first", 0.0)
        assert not known.fault(b"k", "second", 10.0)
        assert known.off_for_s(b"k", 11.0) == 0
        assert known.fault(b"k", "third", 20.0)
        assert known.off_for_s(b"k", 30.0) == standing.KEPT_OFF_S - 10
        assert known.off_for_s(b"k", 20.0 + standing.KEPT_OFF_S) == 0
        assert known.faults(b"k") == (3, "third")

    def test_rare_faults_are_forgiven(self) -> None:
        known = Standing()
        hour = standing.FAULTS_WITHIN_S
        assert not any(known.fault(b"k", "again", hour * turn / 2) for turn in range(20))
        assert known.faults(b"k") == (20, "again")

    def test_made_up_kids_do_not_fill_the_memory(self) -> None:
        known = Standing()
        for number in range(2 * standing.RECORDS_MAX):
            known.fault(number.to_bytes(8, "big"), "x", 0.0)
        assert len(known._records) == standing.RECORDS_MAX
