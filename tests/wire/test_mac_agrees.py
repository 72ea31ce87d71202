"""HMAC-SHA-256 and HKDF-SHA-256 against independent implementations, for any input."""

import hashlib
import hmac

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st
from wattle_wire import mac

# around the block of SHA-256, where the key is hashed or not
keys = st.one_of(st.binary(max_size=200), st.integers(62, 66).map(lambda size: b"\xa5" * size))
many_examples = settings(max_examples=200, deadline=None, derandomize=True)


@many_examples
@given(keys, st.lists(st.binary(max_size=150), max_size=4))
def test_hmac(key: bytes, parts: list[bytes]) -> None:
    assert mac.hmac_sha256(key, *parts) == hmac.digest(key, b"".join(parts), hashlib.sha256)


@many_examples
@given(keys, st.binary(max_size=100), st.binary(max_size=100), st.integers(1, 500))
def test_hkdf(material: bytes, salt: bytes, info: bytes, length: int) -> None:
    theirs = HKDF(algorithm=SHA256(), length=length, salt=salt, info=info)
    assert mac.hkdf_sha256(material, salt, info, length) == theirs.derive(material)


@many_examples
@given(st.binary(max_size=40), st.binary(max_size=40))
def test_equal(left: bytes, right: bytes) -> None:
    assert mac.equal(left, right) == (left == right)
    assert mac.equal(left, bytes(left))
