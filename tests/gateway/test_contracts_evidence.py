"""Evidence against members in commits: what is recorded, once, and what shows nothing."""

from dataclasses import replace

import pytest
from wattle_gateway.contracts import alliance
from wattle_gateway.contracts.alliance import Cheat, FalseCheckpoints
from wattle_gateway.contracts.execute import RECORDED, REPEAT, VOID, Executed
from wattle_gateway.contracts.state import key
from wattle_gateway.ledger import block, evidence, genesis, merkle
from wattle_gateway.ledger.checkpoint import Note
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.evidence import Evidence, TwoBlocks, TwoCheckpoints
from wattle_testkit.alliance import (
    Party,
    approve_entry,
    change_entry,
    epoch_of,
    evidence_entry,
    following,
    note_of,
    two_blocks_of,
)
from wattle_testkit.commit_chain import CommitChain, changes_by_entries
from wattle_wire import cbor, cose

FOUR = [Party(name) for name in ("one", "two", "three", "four")]
OBSERVER = Party("regulator", genesis.OBSERVER)
LIAR = FOUR[1]
EPOCH = epoch_of(*FOUR, OBSERVER)
LEAVES = [merkle.leaf_hash(bytes([number])) for number in range(9)]
OTHER_ROOT = bytes(32)


@pytest.fixture
def ledger() -> CommitChain:
    """A ledger of four with an observer."""
    return CommitChain(EPOCH, *FOUR)


def effect(executed: Executed) -> str:
    (outcome,) = executed.outcomes
    assert (outcome.leaf is not None) == (outcome.effect == RECORDED)
    assert outcome.verdict == 0
    return outcome.effect


def blocks(epoch: Epoch = EPOCH, party: Party = LIAR, round_number: int = 1) -> TwoBlocks:
    return evidence.two_blocks(*two_blocks_of(epoch, party, round_number=round_number))


def notes(
    *parties: Party, old: int = 5, new: int = 9, epoch: Epoch = EPOCH, root: bytes = OTHER_ROOT
) -> TwoCheckpoints:
    """Two checkpoints, by the first and the last of the parties: a `root` that the log of size
    `old` never had, and the true one of size `new`."""
    first = note_of(epoch, old, root, parties[0])
    second = note_of(epoch, new, merkle.root(LEAVES[:new]), parties[-1])
    return pair(first, second)


def pair(first: Note, second: Note) -> TwoCheckpoints:
    old, new = first.checkpoint.size, second.checkpoint.size
    proof = tuple(merkle.consistency_proof(LEAVES, old, new))
    return TwoCheckpoints(first, second, merkle.root(LEAVES[:old]), proof)


def end_epoch(ledger: CommitChain) -> None:
    proposal = change_entry(EPOCH, FOUR[0], following(*FOUR, OBSERVER))
    approvals = [approve_entry(EPOCH, party, proposal) for party in FOUR[1:3]]
    ledger.commit(proposal, *approvals)
    assert ledger.epoch.number == 1


class TestTwoBlocks:
    """Form 2."""

    def test_names_the_member_once(self, ledger: CommitChain) -> None:
        shown = blocks()
        executed = ledger.commit(evidence_entry(shown))
        assert (effect(executed), executed.cheats) == (RECORDED, (LIAR.kid,))
        cheat = Cheat(LIAR.kid, 0, 1, shown.low.digest, shown.high.digest)
        assert alliance.cheat(ledger.state, LIAR.kid) == cheat
        assert alliance.cheats(ledger.state) == [cheat]
        row = [0, 1, shown.low.digest, shown.high.digest]
        assert cbor.decode(ledger.state[key("cheat", LIAR.kid)]) == row
        assert executed.meters == ()

        for again in (shown, blocks(round_number=2)):
            executed = ledger.commit(evidence_entry(again))
            assert (effect(executed), executed.cheats, changes_by_entries(executed)) == (
                REPEAT,
                (),
                (),
            )

    def test_of_several_members_all_are_named(self, ledger: CommitChain) -> None:
        executed = ledger.commit(*(evidence_entry(blocks(party=party)) for party in FOUR))
        assert executed.cheats == tuple(sorted(party.kid for party in FOUR))
        assert [cheat.kid for cheat in alliance.cheats(ledger.state)] == list(executed.cheats)

    def test_a_new_epoch_names_anew_and_forgets_nothing_before(self, ledger: CommitChain) -> None:
        ledger.commit(evidence_entry(blocks()))
        end_epoch(ledger)
        assert alliance.cheat(ledger.state, LIAR.kid) is not None
        old = ledger.commit(evidence_entry(blocks()))
        assert (effect(old), changes_by_entries(old)) == (VOID, ())
        new = ledger.commit(evidence_entry(blocks(ledger.epoch)))
        assert (effect(new), new.cheats) == (RECORDED, (LIAR.kid,))
        found = alliance.cheat(ledger.state, LIAR.kid)
        assert found is not None
        assert found.epoch == 1

    @pytest.mark.parametrize("number", [1, 2])
    def test_another_epoch_shows_nothing(self, ledger: CommitChain, number: int) -> None:
        executed = ledger.commit(evidence_entry(blocks(replace(EPOCH, number=number))))
        assert (effect(executed), changes_by_entries(executed)) == (VOID, ())

    def test_an_author_outside_the_committee_shows_nothing(self, ledger: CommitChain) -> None:
        larger = epoch_of(*FOUR, *(Party(f"more {number}") for number in range(3)))
        strangers = replace(larger, ledger_id=EPOCH.ledger_id)
        party = next(
            p
            for p in (*FOUR, *(Party(f"more {n}") for n in range(3)))
            if strangers.author_of(p.kid) == 6
        )
        executed = ledger.commit(evidence_entry(blocks(strangers, party)))
        assert (effect(executed), changes_by_entries(executed)) == (VOID, ())

    def test_the_key_of_another_member_shows_nothing(self, ledger: CommitChain) -> None:
        strangers = replace(epoch_of(*(Party(f"stranger {n}") for n in range(4))))
        strangers = replace(strangers, ledger_id=EPOCH.ledger_id)
        party = next(
            p for p in (Party(f"stranger {n}") for n in range(4)) if strangers.author_of(p.kid) == 0
        )
        executed = ledger.commit(evidence_entry(blocks(strangers, party)))
        assert (effect(executed), changes_by_entries(executed)) == (VOID, ())

    @pytest.mark.parametrize("forged", ["low", "high"])
    def test_a_forged_signature_shows_nothing(self, ledger: CommitChain, forged: str) -> None:
        shown = blocks()
        honest = shown.high if forged == "low" else shown.low
        broken = shown.low if forged == "low" else shown.high
        payload = cose.parse_sign1("block", EPOCH.ledger_id, broken.raw).payload
        raw = cose.sign1(LIAR.kid, payload, honest.signature)
        shown = replace(shown, **{forged: block.parse(raw, EPOCH.ledger_id)})
        executed = ledger.commit(evidence_entry(shown))
        assert (effect(executed), changes_by_entries(executed)) == (VOID, ())


class TestTwoCheckpoints:
    """Form 3."""

    @pytest.mark.parametrize(("old", "new"), [(9, 9), (5, 9), (8, 9), (1, 2), (0, 9)])
    def test_names_the_member_once(self, ledger: CommitChain, old: int, new: int) -> None:
        shown = notes(LIAR, old=old, new=new)
        executed = ledger.commit(evidence_entry(shown))
        assert (effect(executed), executed.cheats) == (RECORDED, (LIAR.kid,))
        root = merkle.root(LEAVES[:new])
        found = FalseCheckpoints(LIAR.kid, (old, OTHER_ROOT), (new, root))
        assert alliance.false_checkpoints(ledger.state, LIAR.kid) == found
        assert alliance.all_false_checkpoints(ledger.state) == [found]
        assert cbor.decode(ledger.state[key("false", LIAR.kid)]) == [old, OTHER_ROOT, new, root]

        again = ledger.commit(evidence_entry(notes(LIAR, old=3)))
        assert (effect(again), again.cheats, changes_by_entries(again)) == (REPEAT, (), ())

    def test_stays_for_later_epochs(self, ledger: CommitChain) -> None:
        end_epoch(ledger)
        executed = ledger.commit(evidence_entry(notes(LIAR)))
        assert (effect(executed), executed.cheats) == (RECORDED, (LIAR.kid,))

    def shows_nothing(self, ledger: CommitChain, shown: Evidence) -> None:
        executed = ledger.commit(evidence_entry(shown))
        assert (effect(executed), executed.cheats, changes_by_entries(executed)) == (VOID, (), ())

    def test_two_that_are_consistent_show_nothing(self, ledger: CommitChain) -> None:
        self.shows_nothing(ledger, notes(LIAR, root=merkle.root(LEAVES[:5])))

    def test_two_members_that_disagree_show_nothing(self, ledger: CommitChain) -> None:
        self.shows_nothing(ledger, notes(LIAR, FOUR[2]))

    def test_a_proof_of_something_else_shows_nothing(self, ledger: CommitChain) -> None:
        shown = notes(LIAR)
        self.shows_nothing(ledger, replace(shown, proof=shown.proof[1:]))
        self.shows_nothing(ledger, replace(shown, root=bytes([1]) * 32))

    def test_one_that_does_not_vote_is_not_asked(self, ledger: CommitChain) -> None:
        self.shows_nothing(ledger, notes(OBSERVER))

    def test_another_log_of_the_same_id_shows_nothing(self, ledger: CommitChain) -> None:
        self.shows_nothing(ledger, notes(LIAR, epoch=replace(EPOCH, name="other")))

    @pytest.mark.parametrize("forged", ["first", "second"])
    def test_a_forged_signature_shows_nothing(self, ledger: CommitChain, forged: str) -> None:
        shown = notes(LIAR)
        note: Note = getattr(shown, forged)
        line = replace(note.lines[0], signature=bytes(64))
        self.shows_nothing(ledger, replace(shown, **{forged: replace(note, lines=(line,))}))
