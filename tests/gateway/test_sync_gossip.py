"""Evidence, cards, checkpoints and candidates: verified, told once, and bounded."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from wattle_gateway.ledger import checkpoint, crypto, entry, evidence, peer_card
from wattle_gateway.ledger.epoch import next_epoch
from wattle_gateway.sync import messages as m
from wattle_gateway.sync import reader
from wattle_gateway.sync.gossip import CARD_AGAIN_MS, FALSE_CHECKPOINT_COST_BYTES
from wattle_gateway.sync.parcels import CheckpointShare, Parcel, Received, SignedCheckpoint
from wattle_gateway.sync.peer import PEERS_MAX, SERVED_BURST_BYTES
from wattle_gateway.sync.synchronizer import JOIN_AGAIN_MS, Synchronizer
from wattle_testkit.alliance import (
    Board,
    Party,
    epoch_of,
    evidence_entry,
    following,
    note_of,
    ready_of,
    sample_entry,
    two_blocks_of,
)
from wattle_testkit.memory_gateway import MemoryGateway, MemoryShelf

PARTIES = {name: Party(name) for name in "abcd"}
STRANGER = Party("stranger")
EPOCH = epoch_of(*PARTIES.values())
A, B, C, D = (PARTIES[name].kid for name in "abcd")


@pytest.fixture
def sync() -> Synchronizer:
    """The synchronizer of "a", linked to the others."""
    gateway = MemoryGateway(PARTIES["a"], MemoryShelf(A, EPOCH), {}, seed=bytes(32))
    made = Synchronizer(EPOCH, A, gateway.shelf, crypto.verify, seed=bytes(32))
    for kid in (B, C, D):
        made.connected(kid, 0)
    return made


def _told(parcels: "list[Parcel] | tuple[Parcel, ...] | object", kind: int) -> list[bytes]:
    assert isinstance(parcels, list | tuple)
    return sorted(parcel.to for parcel in parcels if parcel.kind == kind)


def _card(party: Party, version: int = 1, host: str = "host") -> bytes:
    return peer_card.build(
        EPOCH.ledger_id,
        party.kid,
        party.sign,
        version=version,
        certificate=b"certificate",
        host=host,
        port=4433,
        broker_host=host,
        broker_port=8883,
    )


def _evidence(name: str = "d") -> bytes:
    return evidence_entry(evidence.two_blocks(*two_blocks_of(EPOCH, PARTIES[name])))


def _receive(sync: Synchronizer, kid: bytes, message: m.Message, at_ms: int = 1) -> Received:
    return sync.receive(kid, message.encode(), at_ms)


def test_evidence_goes_round_once_and_accuses(sync: Synchronizer) -> None:
    raw = _evidence()
    received = _receive(sync, B, m.Evidence(raw))
    assert received.evidence == (raw,)
    assert received.accused == (EPOCH.author_of(D),)
    assert _told(received.parcels, m.EVIDENCE) == sorted([C, D])
    again = _receive(sync, C, m.Evidence(raw))
    assert again.evidence == ()
    assert _told(again.parcels, m.EVIDENCE) == []


def test_evidence_found_here_is_told_to_all_and_not_taken_for_news(sync: Synchronizer) -> None:
    assert _told(sync.gossip_evidence(_evidence()), m.EVIDENCE) == sorted([B, C, D])
    assert sync.gossip_evidence(_evidence()) == ()
    assert _receive(sync, B, m.Evidence(_evidence())).evidence == ()
    assert _receive(sync, B, m.Evidence(_evidence("c"))).evidence


def test_evidence_in_every_epoch_is_news_and_of_another_one_says_nothing(
    sync: Synchronizer,
) -> None:
    old = _evidence()
    _receive(sync, B, m.Evidence(old))
    shelf = MemoryShelf(A, EPOCH)
    changed = next_epoch(EPOCH, following(*PARTIES.values()), shelf.head)
    sync.new_epoch(changed, 2)
    received = _receive(sync, B, m.Evidence(old))
    assert (received.evidence, received.faults) == ((), ())
    fresh = evidence_entry(evidence.two_blocks(*two_blocks_of(changed, PARTIES["d"])))
    assert _receive(sync, B, m.Evidence(fresh)).evidence == (fresh,)


def _false_evidence() -> dict[str, bytes]:
    one, other = two_blocks_of(EPOCH, PARTIES["d"])
    forged = replace(one, raw=one.raw[:-1] + bytes([one.raw[-1] ^ 1]))
    board = Board("board", EPOCH)
    forks = evidence.two_samples(board.sample(1), board.sample(1, clock="R"))
    return {
        "garbage": b"garbage",
        "no evidence": sample_entry(board.sample(1)),
        "one block twice": entry.encode(
            entry.EVIDENCE, evidence.TwoBlocks(one, one).encode(), 60_000
        ),
        "a block that nobody signed": evidence_entry(evidence.two_blocks(forged, other)),
        "samples": evidence_entry(forks),
    }


@pytest.mark.parametrize("lie", _false_evidence())
def test_false_evidence_is_a_fault_and_goes_nowhere(sync: Synchronizer, lie: str) -> None:
    received = _receive(sync, B, m.Evidence(_false_evidence()[lie]))
    assert len(received.faults) == 1
    assert received.evidence == received.accused == ()
    assert _told(received.parcels, m.EVIDENCE) == []


def _false_checkpoints(party: Party) -> bytes:
    first, second = (note_of(EPOCH, 5, bytes([fill]) * 32, party) for fill in (1, 2))
    return evidence_entry(evidence.two_checkpoints(first, second, second.checkpoint.root, ()))


def test_false_checkpoints_are_told_but_bar_nobody_from_being_a_parent(
    sync: Synchronizer,
) -> None:
    received = _receive(sync, B, m.Evidence(_false_checkpoints(PARTIES["c"])))
    assert len(received.evidence) == 1
    assert received.accused == ()
    assert _told(received.parcels, m.EVIDENCE) == sorted([C, D])


def test_checkpoints_under_a_key_of_no_voting_member_say_nothing(sync: Synchronizer) -> None:
    received = _receive(sync, B, m.Evidence(_false_checkpoints(STRANGER)))
    assert (received.evidence, received.faults) == ((), ())


def test_checkpoints_that_the_member_did_not_sign_are_a_fault(sync: Synchronizer) -> None:
    first = note_of(EPOCH, 5, bytes(32), PARTIES["c"])
    second = note_of(EPOCH, 5, bytes([1]) * 32, PARTIES["c"])
    line = checkpoint.SignatureLine(second.lines[0].key_id, first.lines[0].signature)
    forged = checkpoint.Note(second.checkpoint, (line,))
    shown = evidence.two_checkpoints(first, forged, forged.checkpoint.root, ())
    assert len(_receive(sync, B, m.Evidence(evidence_entry(shown))).faults) == 1


def test_a_new_card_is_kept_passed_on_and_told_to_who_comes(sync: Synchronizer) -> None:
    card = _card(PARTIES["c"])
    received = _receive(sync, B, m.Cards((card,)))
    assert received.cards == (card,)
    assert _told(received.parcels, m.CARDS) == sorted([C, D])
    assert _receive(sync, D, m.Cards((card,))).cards == ()
    greeting = sync.connected(B, 2)
    [cards] = [reader.parse(parcel.raw) for parcel in greeting if parcel.kind == m.CARDS]
    assert cards == m.Cards((card,))


def test_of_two_cards_the_higher_version_counts(sync: Synchronizer) -> None:
    newer, older = _card(PARTIES["c"], 7), _card(PARTIES["c"], 6, "elsewhere")
    assert _receive(sync, B, m.Cards((newer,))).cards == (newer,)
    later_ms = CARD_AGAIN_MS + 10
    assert _receive(sync, B, m.Cards((older,)), later_ms).cards == ()
    assert _receive(sync, B, m.Cards((newer,)), later_ms).cards == ()


def test_who_makes_card_after_card_is_not_passed_on_as_fast(sync: Synchronizer) -> None:
    told = 0
    for version in range(1, 100):
        received = _receive(sync, C, m.Cards((_card(PARTIES["c"], version),)), version)
        told += len(received.cards)
    assert told == 1
    newest = _card(PARTIES["c"], 1000)
    assert _receive(sync, C, m.Cards((newest,)), CARD_AGAIN_MS + 1).cards == (newest,)


def test_a_card_that_its_member_did_not_sign_is_a_fault(sync: Synchronizer) -> None:
    card = _card(PARTIES["c"])
    forged = card[:-1] + bytes([card[-1] ^ 1])
    assert len(_receive(sync, B, m.Cards((forged,))).faults) == 1
    assert len(_receive(sync, B, m.Cards((b"garbage",))).faults) == 1


def test_a_card_of_a_stranger_is_left_alone(sync: Synchronizer) -> None:
    received = _receive(sync, B, m.Cards((_card(STRANGER),)))
    assert (received.cards, received.faults) == ((), ())


def test_cards_of_former_members_go_with_their_epoch(sync: Synchronizer) -> None:
    sync.know_cards([_card(PARTIES["a"]), _card(PARTIES["c"])], 0)
    shelf = MemoryShelf(A, EPOCH)
    smaller = following(PARTIES["a"], PARTIES["b"])
    sync.new_epoch(next_epoch(EPOCH, smaller, shelf.head), 1)
    [cards] = [
        reader.parse(parcel.raw) for parcel in sync.connected(B, 2) if parcel.kind == m.CARDS
    ]
    assert cards == m.Cards((_card(PARTIES["a"]),))


def test_a_checkpoint_is_handed_over_unverified_with_its_member(sync: Synchronizer) -> None:
    message = m.Checkpoint(60, 99, bytes(32), bytes(64))
    shares = _receive(sync, B, message).checkpoints
    assert shares == (CheckpointShare(B, 60, 99, bytes(32), bytes(64)),)


def test_the_newest_own_checkpoint_is_told_again_to_who_comes(sync: Synchronizer) -> None:
    first = sync.share_checkpoint(CheckpointShare(A, 60, 99, bytes(32), bytes(64)))
    assert _told(first, m.CHECKPOINT) == sorted([B, C, D])
    sync.share_checkpoint(CheckpointShare(A, 61, 100, bytes(32), bytes(64)))
    greeting = sync.connected(C, 1)
    [told] = [reader.parse(parcel.raw) for parcel in greeting if parcel.kind == m.CHECKPOINT]
    assert told == m.Checkpoint(61, 100, bytes(32), bytes(64))


def _contested(party: Party, size: int = 5, epoch: int = 0) -> m.FalseCheckpoint:
    note = note_of(EPOCH, size, bytes(32), party)
    return m.FalseCheckpoint(epoch, party.kid, size, bytes(32), note.lines[0].signature)


def test_a_checkpoint_told_as_false_is_verified_and_handed_over(sync: Synchronizer) -> None:
    message, key = _contested(PARTIES["d"]), PARTIES["d"].member.checkpoint_key
    found = _receive(sync, B, message)
    assert found.contested == (SignedCheckpoint(D, key, 5, bytes(32), message.signature, B),)
    assert found.parcels == []  # passed on once the own log says so, not before
    assert _receive(sync, B, _contested(PARTIES["d"], epoch=1)) == Received(parcels=[])


@pytest.mark.parametrize(
    "message",
    [replace(_contested(PARTIES["d"]), size=6), _contested(STRANGER)],
    ids=["not signed by it", "of no voting member"],
)
def test_what_no_member_signed_is_a_fault(sync: Synchronizer, message: m.FalseCheckpoint) -> None:
    found = _receive(sync, B, message)
    assert (found.contested, len(found.faults)) == ((), 1)


def test_a_flood_of_false_checkpoints_is_not_looked_at(sync: Synchronizer) -> None:
    message = _contested(PARTIES["d"])
    most = SERVED_BURST_BYTES // FALSE_CHECKPOINT_COST_BYTES
    taken = [len(_receive(sync, B, message).contested) for _ in range(most + 20)]
    assert (sum(taken), set(taken[most:])) == (most, {0})


def test_a_false_checkpoint_is_told_to_all_but_its_signer_until_evidence_goes_round(
    sync: Synchronizer,
) -> None:
    key = PARTIES["c"].member.checkpoint_key
    signed = SignedCheckpoint(C, key, 5, bytes(32), bytes(64), C)
    message = m.FalseCheckpoint(0, C, 5, bytes(32), bytes(64))
    assert _told(sync.tell_false(signed), m.FALSE_CHECKPOINT) == sorted([B, D])
    for kid, told in ((B, [message]), (C, [])):
        greeting = sync.connected(kid, 1)
        found = [reader.parse(item.raw) for item in greeting if item.kind == m.FALSE_CHECKPOINT]
        assert found == told
    _receive(sync, D, m.Evidence(_false_checkpoints(PARTIES["c"])))
    assert _told(sync.tell_false(signed), m.FALSE_CHECKPOINT) == []
    assert _told(sync.connected(B, 2), m.FALSE_CHECKPOINT) == []


def test_in_the_next_epoch_it_is_told_under_the_same_key_only(sync: Synchronizer) -> None:
    key = PARTIES["c"].member.checkpoint_key
    sync.tell_false(SignedCheckpoint(C, key, 5, bytes(32), bytes(64), C))
    sync.tell_false(
        SignedCheckpoint(D, PARTIES["d"].member.checkpoint_key, 5, bytes(32), bytes(64), D)
    )
    without_d = (party for name, party in PARTIES.items() if name != "d")
    sync.new_epoch(next_epoch(EPOCH, following(*without_d), MemoryShelf(A, EPOCH).head), 2)
    greeting = sync.connected(B, 3)
    found = [reader.parse(item.raw) for item in greeting if item.kind == m.FALSE_CHECKPOINT]
    assert found == [m.FalseCheckpoint(1, C, 5, bytes(32), bytes(64))]


def _papers(party: Party = STRANGER, card_of: Party = STRANGER) -> m.Join:
    head = MemoryShelf(A, EPOCH).head
    return m.Join(ready_of(EPOCH, party, head), _card(card_of))


def test_a_candidate_hands_in_its_papers_as_a_guest(sync: Synchronizer) -> None:
    sync.connected(STRANGER.kid, 0, guest=True)
    papers = _papers()
    [request] = _receive(sync, STRANGER.kid, papers).joins
    assert (request.kid, request.ready, request.card) == (STRANGER.kid, papers.ready, papers.card)
    assert _receive(sync, STRANGER.kid, papers, 2).joins == ()
    assert _receive(sync, STRANGER.kid, papers, 1 + JOIN_AGAIN_MS).joins == (request,)


@pytest.mark.parametrize(
    "forge",
    [
        lambda papers: replace(papers, ready=papers.ready[:-1] + bytes([papers.ready[-1] ^ 1])),
        lambda papers: replace(papers, card=papers.card[:-1] + bytes([papers.card[-1] ^ 1])),
        lambda papers: replace(papers, card=_card(PARTIES["b"])),
        lambda papers: replace(papers, ready=b"garbage"),
    ],
    ids=["ready not signed", "card not signed", "card of another", "garbage"],
)
def test_false_papers_are_a_fault(sync: Synchronizer, forge: Callable[[m.Join], m.Join]) -> None:
    sync.connected(STRANGER.kid, 0, guest=True)
    received = _receive(sync, STRANGER.kid, forge(_papers()))
    assert len(received.faults) == 1
    assert received.joins == ()


NOT_FOR_GUESTS: list[m.Message] = [
    m.Blocks(1, ()),
    m.History(1, 1),
    m.AskLast(bytes(8), 0),
    m.Last(bytes(8), 0, 0, None),
    m.Evidence(_evidence()),
    m.Checkpoint(1, 1, bytes(32), bytes(64)),
    m.Cards(()),
    m.Carry(b"whatever"),
    m.FalseCheckpoint(0, B, 5, bytes(32), bytes(64)),
]


@pytest.mark.parametrize("message", NOT_FOR_GUESTS, ids=lambda message: type(message).__name__)
def test_a_guest_is_never_believed(sync: Synchronizer, message: m.Message) -> None:
    sync.connected(STRANGER.kid, 0, guest=True)
    assert _receive(sync, STRANGER.kid, message) == Received()


def test_a_guest_follows_and_nothing_is_asked_of_it(sync: Synchronizer) -> None:
    greeting = sync.connected(STRANGER.kid, 0, guest=True)
    assert _told(greeting, m.HOLDINGS) == [STRANGER.kid]
    ahead = m.Holdings(0, (9, 9, 9, 9), 1000)
    assert _receive(sync, STRANGER.kid, ahead).parcels == []
    answers = _receive(sync, STRANGER.kid, m.Fetch(1, 0, (), (0, 0, 0, 0))).parcels
    assert _told(answers, m.BLOCKS) == [STRANGER.kid]
    answers = _receive(sync, STRANGER.kid, m.Commits(1, 1)).parcels
    assert _told(answers, m.HISTORY) == [STRANGER.kid]
    assert STRANGER.kid not in sync.claims


def test_a_guest_does_not_take_the_place_of_a_member(sync: Synchronizer) -> None:
    assert sync.connected(B, 1, guest=True) == []
    assert _receive(sync, B, m.Evidence(_evidence())).faults == ()


@pytest.mark.parametrize(
    "message", [m.Hello(bytes(16), B, 0, 0, bytes(32)), m.Bye(0, "why")], ids=["hello", "bye"]
)
def test_what_belongs_to_the_link_is_a_fault_here(sync: Synchronizer, message: m.Message) -> None:
    assert len(_receive(sync, B, message).faults) == 1


def test_who_is_not_linked_says_nothing_and_nobody_is_linked_to_itself(
    sync: Synchronizer,
) -> None:
    assert _receive(sync, STRANGER.kid, m.Evidence(_evidence())) == Received()
    assert sync.connected(A, 0) == []
    sync.disconnected(B)
    sync.disconnected(B)
    assert _receive(sync, B, m.Evidence(_evidence())) == Received()


def test_there_is_an_end_to_links(sync: Synchronizer) -> None:
    kids = [number.to_bytes(8, "big") for number in range(PEERS_MAX)]
    greeted = [kid for kid in kids if sync.connected(kid, 0, guest=True)]
    assert len(greeted) == PEERS_MAX - 3
