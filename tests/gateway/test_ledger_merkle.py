"""The Merkle tree against published vectors and against its definition, taken literally."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wattle_gateway.ledger import merkle
from wattle_gateway.ledger.errors import FormatError, ProofError

# Leaves and roots of the reference implementation's test (google/certificate-transparency,
# merkletree/merkle_tree_test.cc), which every later log took over.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
HASHES = [merkle.leaf_hash(leaf) for leaf in LEAVES]
SIZES = st.integers(0, 40)


def leaves(count: int) -> list[bytes]:
    return [merkle.leaf_hash(number.to_bytes(2, "big")) for number in range(count)]


# The definitions of RFC 6962 section 2.1, written as they stand there.


def largest_power_below(size: int) -> int:
    power = 1
    while power * 2 < size:
        power *= 2
    return power


def mth(d: list[bytes]) -> bytes:
    if not d:
        return sha256(b"").digest()
    if len(d) == 1:
        return d[0]
    k = largest_power_below(len(d))
    return sha256(b"\x01" + mth(d[:k]) + mth(d[k:])).digest()


def path(m: int, d: list[bytes]) -> list[bytes]:
    if len(d) == 1:
        return []
    k = largest_power_below(len(d))
    if m < k:
        return [*path(m, d[:k]), mth(d[k:])]
    return [*path(m - k, d[k:]), mth(d[:k])]


def subproof(m: int, d: list[bytes], whole: bool) -> list[bytes]:
    if m == len(d):
        return [] if whole else [mth(d)]
    k = largest_power_below(len(d))
    if m <= k:
        return [*subproof(m, d[:k], whole), mth(d[k:])]
    return [*subproof(m - k, d[k:], False), mth(d[:k])]


@pytest.mark.parametrize("size", range(9))
def test_roots_are_the_published_ones(size: int) -> None:
    assert merkle.root(HASHES[:size]).hex() == ROOTS[size]


def test_inclusion_proof_is_the_published_one() -> None:
    assert [value.hex() for value in merkle.inclusion_proof(HASHES, 0)] == [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]


def test_consistency_proof_is_the_published_one() -> None:
    assert [value.hex() for value in merkle.consistency_proof(HASHES, 6, 8)] == [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


@given(SIZES)
def test_root_is_the_definition(size: int) -> None:
    assert merkle.root(leaves(size)) == mth(leaves(size))


@given(SIZES)
def test_right_edge_has_the_root_of_the_leaves_appended(size: int) -> None:
    edge = merkle.RightEdge()
    for value in leaves(size):
        edge = merkle.decode_right_edge(edge.append(value).encode())
    assert edge.size == size
    assert edge.root() == mth(leaves(size))


@given(st.integers(0, 40), st.integers(0, 40))
def test_an_edge_read_from_rows_has_the_root_of_an_earlier_size(first: int, more: int) -> None:
    edge = merkle.edge_of(iter(leaves(first)))
    assert edge.root() == mth(leaves(first))
    assert edge.extend(leaves(first + more)[first:]) == merkle.edge_of(leaves(first + more))


@given(st.data())
def test_inclusion_proof_is_the_definition_and_verifies(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 40))
    index = data.draw(st.integers(0, size - 1))
    tree = leaves(size)
    proof = merkle.inclusion_proof(tree, index)
    assert proof == path(index, tree)
    merkle.verify_inclusion(tree[index], index, size, proof, mth(tree))


@given(st.data())
def test_consistency_proof_is_the_definition_and_verifies(data: st.DataObject) -> None:
    new = data.draw(st.integers(1, 40))
    old = data.draw(st.integers(1, new))
    tree = leaves(40)
    proof = merkle.consistency_proof(tree, old, new)
    assert proof == subproof(old, tree[:new], True)
    merkle.verify_consistency(old, new, proof, mth(tree[:old]), mth(tree[:new]))


@given(st.data())
def test_inclusion_fails_when_anything_is_changed(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 40))
    index = data.draw(st.integers(0, size - 1))
    tree = leaves(size)
    claim = (tree[index], index, size, merkle.inclusion_proof(tree, index), mth(tree))
    leaf, at, whole, proof, root = changed_claim(data, claim)
    with pytest.raises(ProofError):
        merkle.verify_inclusion(leaf, at, whole, proof, root)


def changed_claim(
    data: st.DataObject, claim: tuple[bytes, int, int, list[bytes], bytes]
) -> tuple[bytes, int, int, list[bytes], bytes]:
    """The claim with one part that makes it false. (Another size can leave it true: RFC 9162
    proves a leaf under a root, and the signed size belongs to the root.)"""
    leaf, index, size, proof, root = claim
    kinds = ["leaf", "root", "longer", "index"] + (["hash", "shorter"] if proof else [])
    kind = data.draw(st.sampled_from(kinds))
    other = sha256(leaf).digest()
    if kind == "leaf":
        return other, index, size, proof, root
    if kind == "root":
        return leaf, index, size, proof, other
    if kind == "longer":
        return leaf, index, size, [*proof, other], root
    if kind == "index":
        wrong = data.draw(st.integers(-1, size).filter(lambda number: number != index))
        return leaf, wrong, size, proof, root
    at = data.draw(st.integers(0, len(proof) - 1))
    if kind == "hash":
        return leaf, index, size, [*proof[:at], other, *proof[at + 1 :]], root
    return leaf, index, size, [*proof[:at], *proof[at + 1 :]], root


@given(st.data())
def test_consistency_fails_when_anything_is_changed(data: st.DataObject) -> None:
    new = data.draw(st.integers(2, 40))
    old = data.draw(st.integers(1, new - 1))
    tree = leaves(new)
    proof = merkle.consistency_proof(tree, old, new)
    other = sha256(tree[0]).digest()
    at = data.draw(st.integers(0, len(proof) - 1))
    old_root, new_root = mth(tree[:old]), mth(tree)
    broken = [
        ([*proof, other], old_root, new_root),
        ([*proof[:at], *proof[at + 1 :]], old_root, new_root),
        ([*proof[:at], other, *proof[at + 1 :]], old_root, new_root),
        (proof, other, new_root),
        (proof, old_root, other),
    ]
    for path_, first_root, last_root in broken:
        with pytest.raises(ProofError):
            merkle.verify_consistency(old, new, path_, first_root, last_root)


def test_empty_tree_is_the_beginning_of_every_tree() -> None:
    assert merkle.consistency_proof(HASHES, 0, 8) == []
    merkle.verify_consistency(0, 8, [], merkle.EMPTY_ROOT, merkle.root(HASHES))
    with pytest.raises(ProofError, match="old root"):
        merkle.verify_consistency(0, 8, [], HASHES[0], merkle.root(HASHES))


def test_same_size_needs_the_same_root_and_no_hashes() -> None:
    root = merkle.root(HASHES)
    merkle.verify_consistency(8, 8, [], root, root)
    with pytest.raises(ProofError, match="old root"):
        merkle.verify_consistency(8, 8, [], HASHES[0], root)
    with pytest.raises(ProofError, match="expected none"):
        merkle.verify_consistency(8, 8, [root], root, root)


@pytest.mark.parametrize("index", [-1, 8])
def test_a_leaf_that_is_not_there_has_no_proof(index: int) -> None:
    with pytest.raises(ProofError, match="of a tree of 8"):
        merkle.inclusion_proof(HASHES, index)


@pytest.mark.parametrize(("old", "new"), [(-1, 3), (4, 3), (3, 9)])
def test_sizes_that_are_not_there_have_no_proof(old: int, new: int) -> None:
    with pytest.raises(ProofError, match="sizes"):
        merkle.consistency_proof(HASHES, old, new)


def test_a_proof_without_end_is_refused_before_any_hashing() -> None:
    with pytest.raises(ProofError, match="at most 64"):
        merkle.verify_inclusion(HASHES[0], 0, 2**62, [HASHES[0]] * 65, HASHES[0])


def test_a_proof_with_a_short_hash_is_refused() -> None:
    with pytest.raises(ProofError, match="31 bytes"):
        merkle.verify_inclusion(HASHES[0], 0, 2, [bytes(31)], ROOTS[2].encode())


@pytest.mark.parametrize("raw", [b"", b"\x82\x01\x80", b"\x82\x00\x81\x58\x20" + bytes(32)])
def test_a_right_edge_that_does_not_fit_its_size_is_refused(raw: bytes) -> None:
    with pytest.raises(FormatError, match="right edge"):
        merkle.decode_right_edge(raw)
