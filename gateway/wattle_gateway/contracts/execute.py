"""Execution: a commit and the state before it, in; leaves, changes and digests, out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from wattle_gateway.contracts import alliance, parties, registry, samples, transactions
from wattle_gateway.contracts import evidence as evidence_rules
from wattle_gateway.contracts import state as state_rows
from wattle_gateway.contracts.errors import RunsFullError
from wattle_gateway.contracts.events import confirming, due
from wattle_gateway.contracts.events import transactions as event_transactions
from wattle_gateway.contracts.registry import Meter
from wattle_gateway.contracts.reputation import upkeep
from wattle_gateway.contracts.samples import ParseSample
from wattle_gateway.contracts.setting import DigestOf, Setting
from wattle_gateway.contracts.state import Change, State
from wattle_gateway.ledger import entry as entry_format
from wattle_gateway.ledger import evidence, signed_sample, transaction
from wattle_gateway.ledger.block import Block, BlockRef, VerifiedBlock
from wattle_gateway.ledger.commit import Commit, CommitHead
from wattle_gateway.ledger.crypto import Verify
from wattle_gateway.ledger.epoch import Epoch, EpochChange
from wattle_gateway.ledger.errors import LedgerError, SignatureError
from wattle_gateway.ledger.evidence import TwoBlocks, TwoSamples
from wattle_gateway.ledger.leaf import CommitLeaf, EntryLeaf, commit_digest

# What became of an entry.
RECORDED = "recorded"  # it has a leaf
REPEAT = "repeat"  # the ledger has it, or it can never count: forget it
HELD = "held"  # not yet: too many runs, or a nonce ahead of its lane; propose it again later
VOID = "void"  # not what an honest gateway proposes: malformed, not enrolled, bad signature ...


@dataclass(frozen=True)
class Outcome:
    """What became of one entry: `effect` one of the words above.

    `position` of the entry in `block` (two blocks may share author and round: an author may
    equivocate); `leaf` index into `Executed.leaves` or None; `verdict` of the leaf, else 0;
    `meter` kid and `seq` of a sample or evidence about samples, `meter` that a transaction
    changed; `digest` (32 bytes) of a sample or transaction, where the bytes could be read.
    """

    block: BlockRef
    position: int
    kind: int
    effect: str
    verdict: int
    leaf: int | None
    meter: bytes | None
    seq: int | None
    digest: bytes | None

    @property
    def author(self) -> int:
        """Author of the block that carried the entry."""
        return self.block.author

    @property
    def round(self) -> int:
        """Round of the block that carried the entry."""
        return self.block.round


@dataclass(frozen=True)
class Executed:
    """Everything a commit leaves behind; to be stored in one piece.

    `leaves` = bytes of the entry leaves, then of the commit leaf, in log order; `changes` to
    the state, sorted by key; `meters` = kids whose state changed, rising; `head` for the next
    commit, votes and acks; `ended` what the next epoch is made of, if this commit ended its epoch
    (rule 29); `cheats` = kids of members that evidence in it showed to have signed two blocks of
    a round or two checkpoints that cannot both be true, rising.
    """

    head: CommitHead
    leaves: tuple[bytes, ...]
    outcomes: tuple[Outcome, ...]
    changes: tuple[Change, ...]
    meters: tuple[bytes, ...]
    ended: EpochChange | None
    cheats: tuple[bytes, ...]


def execute(
    state: Mapping[bytes, bytes],
    head: CommitHead,
    commit: Commit,
    blocks: Sequence[VerifiedBlock],
    epoch: Epoch,
    verify: Verify,
    digest_of: DigestOf,
    parse_sample: ParseSample = signed_sample.parse,
) -> Executed:
    """Execute one commit (SPEC sections 11 and 12). Changes nothing: apply `changes` yourself.

    `state` the state after `head`, the commit before; `blocks` the commit's blocks in its order,
    with entries; `verify(public key, digest, signature)` raises SignatureError;
    `digest_of` knows the commits up to `head`; `parse_sample(raw, ledger id)`. A live gateway
    may answer `verify` and `parse_sample` from what ingest has done already, an audit must not.
    """
    assert commit.index == head.index + 1
    assert [block.block.ref for block in blocks] == [block.ref for block in commit.blocks]
    setting = Setting(commit.time_ms, epoch, head, verify, digest_of)
    run = _Run(State(state), setting, parse_sample)
    if epoch.constants.market is not None:
        due.run(run.state, setting)
    for verified in blocks:
        run.entries(verified)
    ended = upkeep.after_entries(run.state, setting, commit, run.ended)
    if run.ended is not None:
        alliance.forget_changes(run.state, epoch)
    if ended is not None:
        alliance.put_epoch(run.state, epoch.number + 1, commit.index, ended)
    changes = run.state.changes()
    periodic = commit.index % epoch.constants.state_root_every == 0
    state_digest = state_rows.digest(
        head.state_digest, changes, run.state.root() if periodic else None
    )
    leaf = CommitLeaf(
        commit.epoch, commit.index, commit.time_ms, commit.leader, head.digest, state_digest
    ).encode()
    return Executed(
        CommitHead(commit.index, commit.time_ms, commit_digest(leaf), state_digest),
        (*run.leaves, leaf),
        tuple(run.outcomes),
        changes,
        tuple(sorted(run.meters)),
        ended,
        tuple(sorted(run.cheats)),
    )


class _Found(NamedTuple):
    """What is known of an entry: the fields of an Outcome that do not tell its place, and whether
    its bytes alone show that nobody honest proposes it (`false`)."""

    kind: int = 0
    effect: str = VOID
    verdict: int = 0
    meter: bytes | None = None
    seq: int | None = None
    digest: bytes | None = None
    false: bool = False


class _Run:
    """The execution of one commit's entries, in order."""

    def __init__(self, state: State, setting: Setting, parse: ParseSample) -> None:
        self.state = state
        self.leaves: list[bytes] = []
        self.outcomes: list[Outcome] = []
        self.meters: set[bytes] = set()
        self.cheats: set[bytes] = set()
        self.ended: EpochChange | None = None
        self._setting = setting
        self._epoch = setting.epoch
        self._verify = setting.verify
        self._parse = parse
        # A meter sends many samples and changes rarely: decoded once a commit.
        self._known: dict[bytes, Meter | None] = {}

    def entries(self, verified: VerifiedBlock) -> None:
        """Execute the entries of one block; its author is charged with false ones, once (D14)."""
        block = verified.block
        found = [self._entry(block, position, raw) for position, raw in enumerate(verified.entries)]
        if any(found):
            kid = self._epoch.members[block.author].kid
            upkeep.proposed_false(self.state, self._setting, kid, block.digest)

    def _entry(self, block: Block, position: int, raw: bytes) -> bool:
        """Execute one entry and note what became of it; whether it is a false one."""
        kind, effect, verdict, meter, seq, digest, false = self._effect(raw)
        leaf = None
        if effect == RECORDED:
            leaf = len(self.leaves)
            self.leaves.append(EntryLeaf(kind, verdict, block.author, block.round, raw).encode())
            if meter is not None:
                self.meters.add(meter)
        self.outcomes.append(
            Outcome(block.ref, position, kind, effect, verdict, leaf, meter, seq, digest)
        )
        return false

    def _effect(self, raw: bytes) -> _Found:
        found = _Found()
        try:
            entry = entry_format.decode(raw)
            found = _Found(entry.kind)
            if entry.kind == entry_format.SAMPLE:
                return self._sample(entry.body)
            if entry.kind == entry_format.TRANSACTION:
                return self._transaction(entry.body)
            return self._evidence(entry.body, raw)
        except LedgerError:
            # What evidence shows depends on the epoch, too.
            return found._replace(false=found.kind != entry_format.EVIDENCE)

    def _sample(self, body: bytes) -> _Found:
        signed = self._parse(body, self._epoch.ledger_id)
        kid, seq, digest = signed.kid, signed.sample.seq, signed.digest
        kind = entry_format.SAMPLE
        meter = self._meter(kid)
        if meter is None:
            return _Found(kind, VOID, 0, kid, seq, digest)
        try:
            self._verify(meter.signing_key, digest, signed.signature)
            verdict = samples.execute_sample(
                self.state, meter, signed, self._setting.time_ms, self._epoch
            )
        except SignatureError:
            return _Found(kind, VOID, 0, kid, seq, digest, false=True)
        except RunsFullError:
            return _Found(kind, HELD, 0, kid, seq, digest)
        if verdict is None:
            return _Found(kind, REPEAT, 0, kid, seq, digest)
        market = self._epoch.constants.market
        if market is not None:
            confirming.take(self.state, meter, signed, market, self._setting)
        return _Found(kind, RECORDED, verdict, kid, seq, digest)

    def _transaction(self, body: bytes) -> _Found:
        tx = transaction.parse(body, self._epoch.ledger_id)
        found = _Found(entry_format.TRANSACTION, digest=tx.digest)
        party = parties.party(self.state, self._epoch, tx.kid)
        if party is None:
            return found
        try:
            self._verify(party.key, tx.digest, tx.signature)
        except SignatureError:
            return found._replace(false=True)
        due_nonce = registry.next_nonce(self.state, party.kid, tx.lane)
        if tx.nonce != due_nonce:
            event_transactions.came_to_nothing(self.state, tx, self._setting)
            return found._replace(effect=REPEAT if tx.nonce < due_nonce else HELD)
        verdict, meter, ended = transactions.execute_transaction(
            self.state, tx, party, self._setting
        )
        if meter is not None:
            self._known.pop(meter, None)
        if ended is not None:
            self.ended = ended
            self._setting = replace(self._setting, ended=True)
        return found._replace(effect=RECORDED, verdict=verdict, meter=meter)

    def _evidence(self, body: bytes, raw: bytes) -> _Found:
        shown = evidence.decode(body, self._epoch.ledger_id)
        if isinstance(shown, TwoSamples):
            return self._two_samples(shown)
        if isinstance(shown, TwoBlocks):
            kid = evidence_rules.execute_blocks(self.state, shown, self._epoch, self._verify)
        else:
            kid = evidence_rules.execute_checkpoints(self.state, shown, self._epoch)
        if kid is None:
            return _Found(entry_format.EVIDENCE, REPEAT)
        self.cheats.add(kid)
        upkeep.cheated(self.state, self._setting, kid, raw)
        return _Found(entry_format.EVIDENCE, RECORDED)

    def _two_samples(self, shown: TwoSamples) -> _Found:
        kid = shown.low.kid
        found = _Found(entry_format.EVIDENCE, meter=kid, seq=shown.low.sample.seq)
        meter = self._meter(kid)
        if meter is None:
            return found
        try:
            new = evidence_rules.execute_samples(self.state, meter, shown, self._verify)
        except SignatureError:
            return found
        return found._replace(effect=RECORDED if new else REPEAT)

    def _meter(self, kid: bytes) -> Meter | None:
        if kid not in self._known:
            self._known[kid] = registry.meter(self.state, kid)
        return self._known[kid]
