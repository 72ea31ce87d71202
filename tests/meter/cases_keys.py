"""Keys are made once, come back after a power cut, and are never replaced."""

from wattle_meter import identity, keys, reservation, signer
from wattle_testkit.meter_fakes import FakeClock, FakeStore, run
from wattle_wire import cose, p256, uplink

LEDGER = bytes(16)


class Source:
    """A random source that gives other bytes at each call."""

    def __init__(self):
        self.calls = 0

    def __call__(self, count):
        self.calls += 1
        return bytes([self.calls]) * count


def test_an_empty_store_has_no_keys():
    assert keys.load(FakeStore()) is None


def test_three_different_pairs_are_made_and_come_back():
    store = FakeStore()
    made = keys.create(store, Source())
    store.cut()
    again = keys.load(store)
    before = (made.signing, made.link, made.tls)
    for pair, read in zip(before, (again.signing, again.link, again.tls)):
        assert read.private == pair.private
        assert read.public == p256.public_from_private(pair.private)
    assert len({made.signing.private, made.link.private, made.tls.private}) == 3
    assert made.kid() == cose.kid_of(made.signing.public)


def test_any_damage_is_an_error_that_shows_no_key():
    store = FakeStore()
    made = keys.create(store, Source())
    record = store.get("keys")
    for damaged in (
        b"",
        record[:-1],
        record + b"\0",
        bytes([record[0] ^ 1]) + record[1:],
        record[:40] + bytes([record[40] ^ 128]) + record[41:],
        record[:-1] + bytes([record[-1] ^ 1]),
    ):
        store.set("keys", damaged)
        try:
            keys.load(store)
        except keys.KeyDamagedError as error:
            assert "'keys'" in str(error)
            assert made.signing.private.hex() not in str(error)
        else:
            raise AssertionError("loaded")
        assert store.get("keys") == damaged


def test_the_tls_key_is_an_ec_private_key():
    pair = keys.Pair(bytes(31) + b"\x05")
    der = pair.der()
    assert len(der) == 2 + der[1] == 121
    assert der[7:39] == pair.private
    assert der[-65:] == pair.public


def test_no_key_is_shown():
    pair = keys.Pair(bytes(31) + b"\x05")
    assert pair.private.hex() not in repr(pair)
    assert repr(pair.private) not in repr(pair)


def test_a_sealed_payload_verifies():
    pair = keys.Pair(bytes(31) + b"\x05")
    raw, digest = run(
        signer.seal(signer.SoftwareSigner(pair), "sample", LEDGER, b"payload", FakeClock())
    )
    signed = cose.parse_sign1("sample", LEDGER, raw)
    assert (signed.kid, signed.payload, signed.digest) == (
        cose.kid_of(pair.public),
        b"payload",
        digest,
    )
    p256.verify(pair.public, digest, signed.signature)


class ElementSigner(signer.Signer):
    """What a secure element does: the whole signature after some waiting."""

    _KEY = bytes(31) + b"\x07"
    public = p256.public_from_private(_KEY)
    kid = cose.kid_of(public)

    def steps(self, digest):
        yield None
        yield p256.sign(self._KEY, digest)


def test_an_element_signs_what_a_meter_says():
    element = ElementSigner()
    raw, _ = run(signer.seal(element, "birth", LEDGER, b"payload", FakeClock()))
    signed = cose.parse_sign1("birth", LEDGER, raw)
    assert signed.kid == element.kid
    p256.verify(element.public, signed.digest, signed.signature)


def test_the_proof_of_a_meter_with_an_element_names_its_key():
    made = identity.keys_of(FakeStore(), FakeRandom())
    element = ElementSigner()
    raw = identity.enrolment_proof(made, element, bytes(8), LEDGER, "element")
    signed = cose.parse_sign1("enrol", LEDGER, raw)
    assert signed.kid == element.kid
    p256.verify(element.public, signed.digest, signed.signature)
    _, signing, link, _, _, protection = uplink.decode_proof(signed.payload)
    assert (signing, link, protection) == (element.public, made.link.public, "element")


class FakeRandom:
    """What keys_of needs of a board's random source."""

    bytes = Source()


def test_the_first_start_makes_keys_and_the_record_of_their_seqs():
    store = FakeStore()
    made = identity.keys_of(store, FakeRandom())
    store.cut()
    assert identity.keys_of(store, None).signing.private == made.signing.private
    assert reservation.Reservation(store, 1, None).take() == 1


def refused(store):
    try:
        identity.keys_of(store, None)
    except keys.KeyDamagedError as error:
        return str(error)
    raise AssertionError("accepted")


def test_lost_keys_are_not_made_anew():
    store = FakeStore()
    reservation.Reservation(store, 1, None).take()
    assert "keys were lost" in refused(store)


def test_keys_without_the_record_of_their_seqs_are_not_used():
    store = FakeStore()
    keys.create(store, Source())
    assert "no record of the sequence numbers" in refused(store)


def test_a_power_cut_before_the_keys_were_safe_leaves_a_new_board():
    store = FakeStore()
    reservation.begin(store, 1)
    store.commit()
    identity.keys_of(store, FakeRandom())


def test_the_enrolment_proof_is_signed_by_the_key_it_names():
    store = FakeStore()
    made = identity.keys_of(store, FakeRandom())
    own = signer.SoftwareSigner(made.signing)
    raw = identity.enrolment_proof(made, own, bytes(8), LEDGER, "file")
    signed = cose.parse_sign1("enrol", LEDGER, raw)
    p256.verify(made.signing.public, signed.digest, signed.signature)
    eui64, signing, link, tls, first_seq, protection = uplink.decode_proof(signed.payload)
    assert (eui64, first_seq, protection) == (bytes(8), 1, "file")
    assert (signing, link, tls) == (made.signing.public, made.link.public, made.tls.public)
