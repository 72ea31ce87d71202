"""The frozen alliance, recomputed from SPEC.md and CONSENSUS.md with cbor2, hashlib and ecdsa."""

import base64
from typing import Any

import cbor2
import ecdsa
from wattle_testkit.frozen_ledger import FrozenLedger, State
from wattle_testkit.spec_reader import epoch_digest, opened, sha256, tree_root

FROZEN = FrozenLedger.named("alliance")
ALLIANCE = FROZEN.content
GENESIS = FROZEN.genesis
LEDGER_ID = FROZEN.ledger_id
EPOCH_0 = bytes.fromhex(ALLIANCE["epoch_digest"])
VOTERS = [row for row in GENESIS[5] if row[1] <= 5]
KIDS = [sha256(row[2])[:8] for row in VOTERS]
QUORUM = 3
COMMITS = FROZEN.commits

Ref = tuple[int, int, bytes]


def read(kind: str, message: bytes, public: bytes) -> tuple[Any, bytes]:
    return opened(kind, LEDGER_ID, message, public)


def blocks() -> dict[Ref, tuple[Any, list[bytes]]]:
    """Content and entries of every block by reference, signatures verified."""
    found = {}
    for row in ALLIANCE["blocks"]:
        message = bytes.fromhex(row["block"])
        author = cbor2.loads(cbor2.loads(message).value[2])[1]
        content, digest = read("block", message, VOTERS[author][2])
        entries = [bytes.fromhex(entry) for entry in row["entries"]]
        found[content[2], author, digest] = content, entries
    return found


BLOCKS = blocks()


def parents(ref: Ref) -> list[Ref]:
    return [(row[0], row[1], row[2]) for row in BLOCKS[ref][0][4]]


def leaves(commit: dict[str, Any]) -> list[Any]:
    return [cbor2.loads(bytes.fromhex(leaf)) for leaf in commit["leaves"]]


def state_after(count: int) -> State:
    return FROZEN.states[count - 1]


def entry(commit: int, place: int) -> tuple[int, bytes]:
    """Kind and body of an entry by the leaf that it has in a commit (from 1)."""
    kind, body = cbor2.loads(leaves(COMMITS[commit - 1])[place][4])
    return kind, body


def test_four_vote_and_one_observes() -> None:
    assert [sha256(row[2])[:8] for row in GENESIS[5]] == sorted(
        sha256(row[2])[:8] for row in GENESIS[5]
    )
    assert (len(GENESIS[5]), len(VOTERS)) == (5, 4)
    assert LEDGER_ID.hex() == ALLIANCE["ledger_id"]
    made_of = [GENESIS[5], GENESIS[3], GENESIS[4]]
    assert epoch_digest(LEDGER_ID, 0, bytes(32), made_of) == EPOCH_0


def test_every_block_keeps_the_rules_of_validity() -> None:
    digests = {0: EPOCH_0}
    digests.update((n, bytes.fromhex(row["commit_digest"])) for n, row in enumerate(COMMITS, 1))
    assert sorted((ref[0], ref[1]) for ref in BLOCKS) == [
        (number, author) for number in range(1, 9) for author in range(4)
    ]
    for ref, (content, entries) in BLOCKS.items():
        epoch, author, number, _, rows, vote, payload = content
        assert (epoch, number, author) == (0, *ref[:2])
        authors = [row[1] for row in rows]
        assert authors == [author, *(other for other in range(4) if other != author)]
        for parent in rows:
            assert parent[0] == number - 1
            known = parent[2] == EPOCH_0 if number == 1 else tuple(parent) in BLOCKS
            assert known
        assert vote[1] == digests[vote[0]]
        if entries:
            assert payload == [len(entries), sum(map(len, entries)), tree_root(entries)]
        else:
            assert payload is None


def committed_leaders() -> list[Ref]:
    """Rule 19 over all blocks: the leaders whose certificates are by q authors, by round."""
    found = []
    for number in range(1, 7):
        slot = [ref for ref in BLOCKS if ref[:2] == (number, number % 4)]
        for candidate in slot:
            votes = {ref for ref in BLOCKS if ref[0] == number + 1 and candidate in parents(ref)}
            certificates = {
                ref[1]
                for ref in BLOCKS
                if ref[0] == number + 2
                and len({parent[1] for parent in parents(ref) if parent in votes}) >= QUORUM
            }
            if len(certificates) >= QUORUM:
                found.append(candidate)
    return found


def history(top: Ref) -> set[Ref]:
    found, waiting = set(), [top]
    while waiting:
        ref = waiting.pop()
        if ref in BLOCKS and ref not in found:
            found.add(ref)
            waiting += parents(ref)
    return found


def test_commits_follow_from_the_graph() -> None:
    taken: set[Ref] = set()
    time_ms, previous, state = GENESIS[2], EPOCH_0, bytes(32)
    leaders = committed_leaders()
    assert len(leaders) == len(COMMITS) == 6
    for index, (leader, commit) in enumerate(zip(leaders, COMMITS, strict=True), 1):
        order = sorted(history(leader) - taken)
        taken.update(order)
        assert [ref[2].hex() for ref in order] == commit["blocks"]

        times = [BLOCKS[leader][0][3]]
        for parent in parents(leader):
            if parent[1] != leader[1]:
                times.append(BLOCKS[parent][0][3] if parent in BLOCKS else GENESIS[2])
        time_ms = max(time_ms, sorted(times)[(len(times) - 1) // 2])

        *found, last = leaves(commit)
        carried = [(ref[1], ref[0], raw) for ref in order for raw in BLOCKS[ref][1]]
        assert [tuple(leaf[2:]) for leaf in found] == carried
        changes = [
            cbor2.dumps([bytes.fromhex(key), None if value is None else bytes.fromhex(value)])
            for key, value in commit["changes"]
        ]
        state = sha256(cbor2.dumps([state, tree_root(changes)]))
        assert last == [0, 0, index, time_ms, list(leader), previous, state]
        previous = sha256(bytes.fromhex(commit["leaves"][-1]))
        assert (state.hex(), previous.hex()) == (commit["state_digest"], commit["commit_digest"])


def test_an_enrolment_waits_for_a_member_of_another_role() -> None:
    _, message = entry(2, 0)
    content, digest = read("tx", message, VOTERS[0][2])
    assert content[:2] == [0, 0]
    assert content[3] == 1
    proof = cbor2.loads(cbor2.loads(content[4][0]).value[2])
    meter = sha256(proof[1])[:8]
    until_ms, kid, row = state_after(2)["enrolling", digest]
    assert (until_ms, kid) == (content[2], meter)
    assert ("meter", meter) not in state_after(2)

    _, approval = entry(3, 0)
    content, _ = read("tx", approval, VOTERS[1][2])
    assert content[3:] == [4, [digest]]
    assert VOTERS[0][1] != VOTERS[1][1]
    assert state_after(3)["meter", meter] == row
    assert ("enrolling", digest) not in state_after(3)


def test_evidence_of_three_forms_is_recorded() -> None:
    meter_key = next(v for k, v in state_after(3).items() if k[0] == "meter")[1]
    kind, sample = entry(4, 0)
    assert kind == 1
    kind, body = entry(4, 1)
    form, low, high = cbor2.loads(body)
    assert (kind, form) == (4, 1)
    digests = [read("sample", message, meter_key)[1] for message in (low, high)]
    assert digests == sorted(digests)
    assert sample in (low, high)
    state = state_after(6)
    assert state["fork", sha256(meter_key)[:8], 1] == digests

    form, low, high = cbor2.loads(entry(4, 2)[1])
    assert form == 2
    contents, digests = zip(
        *(read("block", message, VOTERS[3][2]) for message in (low, high)), strict=True
    )
    assert [content[:3] for content in contents] == [[0, 3, 1]] * 2
    assert list(digests) == sorted(digests)
    assert state["cheat", KIDS[3]] == [0, 1, *digests]
    assert [commit["cheats"] for commit in COMMITS[3::2]] == [[KIDS[3].hex()]] * 2


def checkpoint(note: bytes, members: list[Any]) -> tuple[int, bytes, list[bytes]]:
    """Size, root and the kids of who signed, every signature verified (SPEC section 16)."""
    text, signatures = note.decode().split("\n\n")
    origin, size, root = text.split("\n")
    assert origin == f"{GENESIS[1]}/{LEDGER_ID.hex()}"
    kids = []
    for line in signatures.splitlines():
        dash, name, encoded = line.split(" ")
        octets = base64.b64decode(encoded)
        assert (dash, name) == ("\u2014", origin)
        keys = [row for row in members if key_id(origin, row[4]) == octets[:4]]
        assert len(keys) == 1
        public = ecdsa.VerifyingKey.from_string(keys[0][4], ecdsa.Ed25519)
        assert public.verify(octets[4:], (text + "\n").encode())
        kids.append(sha256(keys[0][2])[:8])
    return int(size), base64.b64decode(root), kids


def key_id(origin: str, public: bytes) -> bytes:
    return sha256(origin.encode(), b"\n\x01", public)[:4]


def test_a_false_checkpoint_is_shown_by_the_proof_beside_it() -> None:
    form, first, second, root, proof = cbor2.loads(entry(6, 1)[1])
    assert form == 3
    size_a, root_a, kids_a = checkpoint(first, VOTERS)
    size_b, root_b, kids_b = checkpoint(second, VOTERS)
    log = [bytes.fromhex(leaf) for commit in COMMITS for leaf in commit["leaves"]]
    assert (size_a, size_b, kids_a, kids_b) == (1, 3, [KIDS[3]], [KIDS[3]])
    assert root_b == tree_root(log[:3])
    assert root == tree_root(log[:1]) != root_a
    # PROOF(1, 3) of RFC 6962: the second leaf, then the third.
    assert proof == [tree_root([log[1]]), tree_root([log[2]])]
    assert state_after(6)["false", KIDS[3]] == [1, root_a, 3, root_b]


def test_a_change_with_q_approvals_ends_the_epoch() -> None:
    _, message = entry(4, 3)
    content, digest = read("tx", message, VOTERS[0][2])
    epoch, members, rules, constants, words = content[4]
    assert (content[3], epoch, rules, len(members), constants["gc_depth"]) == (3, 0, 1, 6, 61)
    joiner = next(row for row in members if row not in GENESIS[5])
    assert words == [bytes.fromhex(ALLIANCE["ready"])]
    word, _ = read("ready", words[0], joiner[2])
    assert word == [0, 1, bytes.fromhex(COMMITS[0]["commit_digest"]), joiner]
    made_of = [members, rules, constants]
    assert state_after(5)["change", KIDS[0]] == [digest, *made_of, [KIDS[0]]]

    for place, author in ((0, 2), (2, 3)):
        approval, _ = read("tx", entry(6, place)[1], VOTERS[author][2])
        assert approval[3:] == [4, [digest]]
    state = state_after(6)
    assert state["epoch", 1] == [6, *made_of]
    assert ("change", KIDS[0]) not in state

    following = ALLIANCE["next_epoch"]
    last = bytes.fromhex(COMMITS[-1]["commit_digest"])
    begun = epoch_digest(LEDGER_ID, 1, last, made_of)
    assert begun.hex() == following["digest"]
    assert following["created_ms"] == leaves(COMMITS[-1])[-1][3]
    voters = [row for row in members if row[1] <= 5]
    author = voters.index(joiner)
    first, _ = read("block", bytes.fromhex(following["block"]), joiner[2])
    order = [author, *(other for other in range(5) if other != author)]
    assert first[4] == [[0, other, begun] for other in order]
    assert first[:4] == [1, author, 1, following["created_ms"]]
    assert first[5:] == [[6, last], None]


def test_a_checkpoint_has_exactly_q_signatures_by_rising_author() -> None:
    size, root, kids = checkpoint(ALLIANCE["checkpoint"].encode(), VOTERS)
    log = [bytes.fromhex(leaf) for commit in COMMITS for leaf in commit["leaves"]]
    assert (size, root) == (len(log), tree_root(log))
    assert root.hex() == ALLIANCE["log_root"]
    assert kids == KIDS[:QUORUM]


def test_a_peer_card_says_where_a_member_is() -> None:
    content, _ = read("peer", bytes.fromhex(ALLIANCE["peer_card"]), VOTERS[0][2])
    certificate = b"stands for a certificate"
    places = ["gateway.example", 7443, "broker.example", 8883]
    assert content == [1_700_000_000_000, certificate, *places]
