"""Keys are made once, come back after a power cut, and are never replaced."""

from wattle_meter import keys, signer
from wattle_testkit.meter_fakes import FakeClock, FakeStore, run
from wattle_wire import cose, p256

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
    for name in ("signing", "link", "tls"):
        pair = getattr(made, name)
        assert getattr(again, name).private == pair.private
        assert getattr(again, name).public == p256.public_from_private(pair.private)
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

    kid = b"elementx"

    def steps(self, digest):
        yield None
        yield b"\x01" * 64


def test_any_object_with_the_signers_interface_can_sign():
    raw, _ = run(signer.seal(ElementSigner(), "birth", LEDGER, b"payload", FakeClock()))
    assert cose.parse_sign1("birth", LEDGER, raw).signature == b"\x01" * 64
