"""False snapshots: whatever is changed in one, it is refused and said to be false."""

import random
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from wattle_gateway.contracts import snapshot as snapshot_format
from wattle_gateway.contracts.errors import SnapshotError
from wattle_gateway.contracts.snapshot import Snapshot
from wattle_gateway.contracts.snapshot_trail import (
    BLOCKS_MAX,
    LEAF_BYTES_MAX,
    LEAVES_MAX,
    Trail,
    part,
)
from wattle_gateway.errors import UsageError
from wattle_gateway.ledger import checkpoint, entry, transaction
from wattle_gateway.ledger.account_bodies import Issue
from wattle_gateway.ledger.checkpoint import Checkpoint
from wattle_gateway.ledger.epoch import first_epoch
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.reports import snapshots
from wattle_gateway.snapshot import beginning, proving, stored
from wattle_gateway.snapshot.proving import ProvedBase, RowsSeen
from wattle_gateway.store import base_rows, block_rows, own_rows, schema
from wattle_gateway.store import connection as database
from wattle_testkit import sealed_folder
from wattle_testkit.alliance import Party, genesis_of, note_of, transaction_entry
from wattle_testkit.driven_alliance import DrivenAlliance
from wattle_wire import cbor

FOUNDERS = tuple(Party(name) for name in ("ann", "bob", "cid", "dee"))
EVE = Party("eve")
CONSTANTS = Constants(
    enrol_approvals=1, leader_commits=4, gc_depth=8, state_root_every=4, ready_commits_max=30
)
FIRST = first_epoch(genesis_of(*FOUNDERS, constants=CONSTANTS))
# Bytes that are flipped, one at a time, all over a file.
FLIPS = 80


@pytest.fixture(scope="module")
def alliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DrivenAlliance]:
    made = DrivenAlliance(tmp_path_factory.mktemp("five"), *FOUNDERS, EVE, epoch=FIRST)
    made.run(1000)
    made.change("ann", ["eve"], [party.name for party in (*FOUNDERS, EVE)])
    for _ in range(7):
        made.transact("ann", transaction.ISSUE, Issue("CNY", 2, FOUNDERS[0].kid, 5).row())
        made.run(10_000)
    yield made
    made.close()


@pytest.fixture(scope="module")
def true(alliance: DrivenAlliance) -> Snapshot:
    return snapshots.export(alliance["ann"].connection, FIRST, None)


@pytest.fixture(scope="module")
def trail(true: Snapshot) -> Trail:
    assert true.trail is not None
    return true.trail


def prove(raw: bytes) -> ProvedBase:
    """As a newcomer reads it."""
    file = BytesIO(raw)
    snapshot = snapshot_format.read_beginning(file)
    seen = RowsSeen()
    for _ in seen.watch(snapshot_format.read_rows(file)):
        pass
    return proving.prove(snapshot, seen, FIRST)


def test_a_true_one_is_proved_from_the_genesis_alone(true: Snapshot) -> None:
    proved = prove(true.encode())
    assert proved.epochs.newest.number == 1
    assert {member.name for member in proved.epochs.newest.members} == {
        *(party.name for party in FOUNDERS),
        "eve",
    }
    assert len(proved.signed_by) == proved.signing_epoch.quorum
    assert proved.rows == len(true.state)
    assert proved.horizon.window
    assert proved.horizon.committed


TrailChange = Callable[[Trail], Trail]
FALSE_TRAILS: list[tuple[str, TrailChange, str]] = [
    ("no link", lambda t: replace(t, epochs=()), "does not say how epoch 1 began"),
    ("a link too many", lambda t: replace(t, epochs=t.epochs * 2), "links 2 epochs"),
    (
        "an approval less",
        lambda t: replace(t, epochs=(replace(t.epochs[0], approvals=t.epochs[0].approvals[1:]),)),
        "2 members of epoch 0 approved the members of epoch 1, expected 3",
    ),
    (
        "one approval twice",
        lambda t: replace(
            t, epochs=(replace(t.epochs[0], approvals=t.epochs[0].approvals[:1] * 2),)
        ),
        "2 members of epoch 0 approved",
    ),
    (
        "no change",
        lambda t: replace(t, epochs=(replace(t.epochs[0], change=b""),)),
        "nobody proposed the members of epoch 1",
    ),
    (
        "an approval as change",
        lambda t: replace(t, epochs=(replace(t.epochs[0], change=t.epochs[0].approvals[0]),)),
        "is not the one by which epoch 1 began",
    ),
    (
        "another ending",
        lambda t: replace(t, epochs=(replace(t.epochs[0], leaf=t.leaves[0]),)),
        "does not end epoch 0",
    ),
    (
        "an ending elsewhere",
        lambda t: replace(t, epochs=(replace(t.epochs[0], at=t.epochs[0].at + 1),)),
        "inclusion proof",
    ),
    ("a peak less", lambda t: replace(t, peaks=t.peaks[1:]), "right edge"),
    ("another peak", lambda t: replace(t, peaks=(bytes(32), *t.peaks[1:])), "proof"),
    ("no consistency", lambda t: replace(t, consistency=(*t.consistency, bytes(32))), "proof"),
    ("no oldest leaf", lambda t: replace(t, leaves=t.leaves[5:]), "leaves go back to commit"),
    ("no newest leaf", lambda t: replace(t, leaves=t.leaves[:-1]), "not the one that it names"),
    ("no leaves", lambda t: replace(t, leaves=()), "leaves go back to commit"),
    ("a leaf twice", lambda t: replace(t, leaves=(t.leaves[0], *t.leaves)), "not the one that"),
    ("no blocks", lambda t: replace(t, blocks=()), "leader's block of commit .* is missing"),
    ("a block twice", lambda t: replace(t, blocks=(t.blocks[0], *t.blocks)), "each once"),
    ("blocks in disorder", lambda t: replace(t, blocks=t.blocks[::-1]), "lacks a parent"),
    (
        "a block that is none",
        lambda t: replace(t, blocks=(b"\x80", *t.blocks)),
        "one of its blocks",
    ),
]


@pytest.mark.parametrize(
    ("change", "text"), [row[1:] for row in FALSE_TRAILS], ids=[row[0] for row in FALSE_TRAILS]
)
def test_a_false_trail_is_named(
    true: Snapshot, trail: Trail, change: TrailChange, text: str
) -> None:
    with pytest.raises(SnapshotError, match=text):
        prove(replace(true, trail=change(trail)).encode())


def test_each_block_is_needed(true: Snapshot, trail: Trail) -> None:
    """None can be left out, the schedule's and the floor's least."""
    for place in range(len(trail.blocks)):
        fewer = trail.blocks[:place] + trail.blocks[place + 1 :]
        snapshot = replace(true, trail=replace(trail, blocks=fewer))
        seen = RowsSeen()
        for _ in seen.watch(sorted(true.state.items())):
            pass
        with pytest.raises(SnapshotError, match=r"missing|lacks a parent|in no commit's history"):
            proving.prove(snapshot, seen, FIRST, lambda key, digest, signature: None)


def test_no_block_can_be_added(alliance: DrivenAlliance, true: Snapshot, trail: Trail) -> None:
    """Neither an older nor a newer one, true as they are."""
    ann = alliance["ann"]
    stored = block_rows.load_above(ann.connection, FIRST.ledger_id, 1, [0] * 5)
    others = [found.block for found in stored if found.block.raw not in trail.blocks]
    newest = max(others, key=lambda block: block.ref)
    oldest = min(others, key=lambda block: block.ref)
    for block, place in ((newest, len(trail.blocks)), (oldest, 0)):
        more = [*trail.blocks[:place], block.raw, *trail.blocks[place:]]
        with pytest.raises(SnapshotError, match=r"lacks a parent|in no commit's history"):
            prove(replace(true, trail=replace(trail, blocks=tuple(more))).encode())


def test_rows_are_the_state_that_was_signed(true: Snapshot) -> None:
    rows = dict(true.state)
    key = max(rows)
    for state in (
        {**rows, key: b"\x00"},
        {**rows, key + b"\x00": b"\x00"},
        {row: value for row, value in rows.items() if row != key},
        {},
    ):
        with pytest.raises(SnapshotError, match="its rows are not the state of commit"):
            prove(replace(true, state=state).encode())


def test_a_quorum_of_the_right_epoch_signs(true: Snapshot) -> None:
    """A log of somebody's own, signed by those whom it names, or by too few, is nobody's word."""
    note = checkpoint.parse_note(true.note)
    said = note.checkpoint
    stranger = Party("mallory")
    strangers = Checkpoint(said.origin, said.size, bytes(32))
    line = checkpoint.sign(strangers, stranger.member.checkpoint_key, stranger.checkpoint_key.sign)
    for false in (
        note_of(FIRST, said.size, said.root, *FOUNDERS[:2]).encode(),
        note_of(FIRST, said.size, said.root, *FOUNDERS[:3]).encode(),
        checkpoint.Note(strangers, (line,) * 4).encode(),
    ):
        with pytest.raises(SnapshotError, match="a quorum of epoch 1 has not signed"):
            prove(replace(true, note=false).encode())
    other = Checkpoint(said.origin, said.size, bytes(32))
    with pytest.raises(SnapshotError, match="leads to another root"):
        prove(replace(true, note=signed_by(other, [*FOUNDERS[1:], EVE])).encode())


def signed_by(said: Checkpoint, parties: list[Party]) -> bytes:
    """A note by these, in the order of their kids."""
    ordered = sorted(parties, key=lambda party: party.kid)
    lines = [
        checkpoint.sign(said, party.member.checkpoint_key, party.checkpoint_key.sign)
        for party in ordered
    ]
    return checkpoint.Note(said, tuple(lines)).encode()


def test_approvals_are_of_this_change(true: Snapshot, trail: Trail) -> None:
    link = trail.epochs[0]
    for party, text in ((FOUNDERS[1], "approved something else"), (EVE, "no voting member")):
        raw = transaction_entry(FIRST, party, transaction.APPROVE, [bytes(32)], nonce=9)
        other = entry.decode(raw).body
        changed = replace(link, approvals=(*link.approvals, other))
        with pytest.raises(SnapshotError, match=text):
            prove(replace(true, trail=replace(trail, epochs=(changed,))).encode())


def test_of_another_ledger_or_of_form_1(true: Snapshot) -> None:
    with pytest.raises(SnapshotError, match="it is of ledger 0000"):
        prove(replace(true, ledger_id=bytes(16)).encode())
    for lesser in (replace(true, trail=None), replace(true, note=b"")):
        with pytest.raises(
            SnapshotError, match="carries no checkpoint, or no way to it from the genesis"
        ):
            prove(lesser.encode())


def test_a_flipped_bit_of_a_file_is_found(true: Snapshot) -> None:
    raw, chosen = true.encode(), random.Random(7)
    for place in chosen.sample(range(len(raw)), FLIPS):
        false = bytearray(raw)
        false[place] ^= 1 << chosen.randrange(8)
        with pytest.raises(SnapshotError):
            prove(bytes(false))


def test_a_file_that_ends_early_is_found(true: Snapshot) -> None:
    raw, chosen = true.encode(), random.Random(8)
    for size in (0, 3, *chosen.sample(range(len(raw)), FLIPS // 4)):
        with pytest.raises(SnapshotError):
            prove(raw[:size])


def test_nothing_begins_with_a_false_one(true: Snapshot, tmp_path: Path) -> None:
    path, file = tmp_path / "ledger.db", tmp_path / "state.snapshot"
    watcher = Party("watcher")
    database.create_ledger(path, FIRST.ledger_id)
    before = path.read_bytes()
    raw = bytearray(true.encode())
    raw[-1] ^= 1
    file.write_bytes(raw)
    with pytest.raises(SnapshotError, match="its rows are not the state"):
        beginning.begin(path, file, FIRST, watcher.kid)
    with pytest.raises(UsageError, match="cannot be read"):
        beginning.begin(path, tmp_path / "none", FIRST, watcher.kid)
    assert [found.name for found in tmp_path.iterdir() if "begin" in found.name] == []
    assert path.read_bytes() == before
    file.write_bytes(true.encode())
    assert not beginning.begin(path, file, FIRST, watcher.kid).lost
    with closing(database.open_reader(path, schema.LEDGER, FIRST.ledger_id)) as reader:
        assert not own_rows.load(reader).lost


def test_a_sealed_folder_begins_sealed(true: Snapshot, tmp_path: Path) -> None:
    folder, file = tmp_path / "sealed", tmp_path / "state.snapshot"
    sealed_folder.make(folder)
    file.write_bytes(true.encode())
    path = folder / "ledger.db"
    assert beginning.begin(path, file, FIRST, Party("watcher").kid).lost
    with closing(database.open_reader(path, schema.LEDGER, FIRST.ledger_id)) as reader:
        assert dict(base_rows.state_rows(reader)) == true.state
        proved = stored.prove_again_if_any(reader, FIRST)
        assert proved is not None
        assert proved.rows == len(true.state)
    long = [value for value in true.state.values() if len(value) > 60]
    assert long
    assert sealed_folder.holding(folder, *long) == []


@pytest.mark.parametrize(
    ("place", "size", "most"),
    [("leaves", LEAF_BYTES_MAX + 1, LEAF_BYTES_MAX), ("blocks", 4097, 4096)],
)
def test_parts_are_bounded_before_they_are_kept(
    true: Snapshot, trail: Trail, place: str, size: int, most: int
) -> None:
    long = replace(trail, **{place: (bytes(size),)})
    with pytest.raises(SnapshotError, match=f"a part of {size} bytes, expected at most {most}"):
        prove(replace(true, trail=long).encode())
    raw = (1 << 20).to_bytes(4, "big") + bytes(8)
    with pytest.raises(SnapshotError, match="a part of 1048576 bytes"):
        prove(raw)


@pytest.mark.parametrize("counts", [[4097, 0, 0], [0, LEAVES_MAX + 1, 0], [0, 0, BLOCKS_MAX + 1]])
def test_counts_are_bounded_before_they_are_believed(true: Snapshot, counts: list[int]) -> None:
    header = cbor.decode(true.header())
    assert isinstance(header, list)
    header[10] = counts
    with pytest.raises(SnapshotError, match=r"not a snapshot: (epochs|leaves|blocks)"):
        prove(part(cbor.encode(header)))
