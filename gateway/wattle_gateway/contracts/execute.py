"""Execution: a commit and the state before it, in; leaves, changes and digests, out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from wattle_gateway.contracts import registry, samples, transactions
from wattle_gateway.contracts import state as state_rows
from wattle_gateway.contracts.errors import RunsFullError
from wattle_gateway.contracts.registry import Meter
from wattle_gateway.contracts.samples import ParseSample
from wattle_gateway.contracts.state import Change, State
from wattle_gateway.ledger import entry as entry_format
from wattle_gateway.ledger import signed_sample, transaction
from wattle_gateway.ledger.block import Block, BlockRef, VerifiedBlock
from wattle_gateway.ledger.commit import Commit, CommitHead
from wattle_gateway.ledger.crypto import Verify
from wattle_gateway.ledger.epoch import Epoch, EpochChange
from wattle_gateway.ledger.errors import LedgerError, SignatureError
from wattle_gateway.ledger.leaf import CommitLeaf, EntryLeaf, commit_digest

DigestOf = Callable[[int], bytes | None]
"""Index of an executed commit -> its digest (32 bytes); 0 -> digest of epoch 0; None for an
index that the ledger does not have."""

# What became of an entry.
RECORDED = "recorded"  # it has a leaf
REPEAT = "repeat"  # the ledger has it, or it can never count: forget it
HELD = "held"  # not yet: too many runs, or a nonce ahead of its lane; propose it again later
VOID = "void"  # not what an honest gateway proposes: malformed, not enrolled, bad signature ...


@dataclass(frozen=True)
class Outcome:
    """What became of one entry: `effect` one of the words above.

    `position` of the entry in `block` (two blocks may share author and round: an author may
    equivocate); `leaf` index into
    `Executed.leaves` or None; `verdict` of the leaf, else 0; `meter` kid and `seq` of a sample
    or evidence, `digest` (32 bytes) of a sample or transaction, where the bytes could be read.
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
    `digest_of` knows the commits up to `head`; `parse_sample(raw, ledger id)`. A live gateway may answer both from what ingest has done
    already, an audit must not.
    """
    assert commit.index == head.index + 1
    assert [block.block.ref for block in blocks] == [block.ref for block in commit.blocks]
    run = _Run(State(state), commit.time_ms, epoch, verify, parse_sample)
    for verified in blocks:
        for position, raw in enumerate(verified.entries):
            run.entry(verified.block, position, raw)
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
        None,
        (),
    )


class _Run:
    """The execution of one commit's entries, in order."""

    def __init__(
        self, state: State, time_ms: int, epoch: Epoch, verify: Verify, parse: ParseSample
    ) -> None:
        self.state = state
        self.leaves: list[bytes] = []
        self.outcomes: list[Outcome] = []
        self.meters: set[bytes] = set()
        self._time_ms = time_ms
        self._epoch = epoch
        self._verify = verify
        self._parse = parse
        # A meter sends many samples and changes rarely: decoded once a commit.
        self._known: dict[bytes, Meter | None] = {}

    def entry(self, block: Block, position: int, raw: bytes) -> None:
        """Execute one entry and note what became of it."""
        found = self._effect(raw)
        leaf = None
        if found.effect == RECORDED:
            leaf = len(self.leaves)
            self.leaves.append(
                EntryLeaf(found.kind, found.verdict, block.author, block.round, raw).encode()
            )
            if found.meter is not None:
                self.meters.add(found.meter)
        self.outcomes.append(replace(found, block=block.ref, position=position, leaf=leaf))

    def _effect(self, raw: bytes) -> Outcome:
        try:
            entry = entry_format.decode(raw)
        except LedgerError:
            return _VOID
        found = replace(_VOID, kind=entry.kind)
        try:
            if entry.kind == entry_format.SAMPLE:
                return self._sample(found, entry.body)
            if entry.kind == entry_format.TRANSACTION:
                return self._transaction(found, entry.body)
            return self._evidence(found, entry.body)
        except LedgerError:
            return found

    def _sample(self, found: Outcome, body: bytes) -> Outcome:
        signed = self._parse(body, self._epoch.ledger_id)
        found = replace(found, meter=signed.kid, seq=signed.sample.seq, digest=signed.digest)
        meter = self._meter(signed.kid)
        if meter is None:
            return found
        try:
            self._verify(meter.signing_key, signed.digest, signed.signature)
            verdict = samples.execute_sample(
                self.state, meter, signed, self._time_ms, self._epoch.constants
            )
        except SignatureError:
            return found
        except RunsFullError:
            return replace(found, effect=HELD)
        if verdict is None:
            return replace(found, effect=REPEAT)
        return replace(found, effect=RECORDED, verdict=verdict)

    def _transaction(self, found: Outcome, body: bytes) -> Outcome:
        tx = transaction.parse(body, self._epoch.ledger_id)
        found = replace(found, digest=tx.digest)
        party = transactions.originator(self._epoch, tx.kid)
        if party is None:
            return found
        try:
            self._verify(party.block_key, tx.digest, tx.signature)
        except SignatureError:
            return found
        due = registry.next_nonce(self.state, party.kid, tx.lane)
        if tx.nonce != due:
            return replace(found, effect=REPEAT if tx.nonce < due else HELD)
        verdict, meter = transactions.execute_transaction(
            self.state, tx, party, self._time_ms, self._epoch, self._verify
        )
        if meter is not None:
            self._known.pop(meter, None)
        return replace(found, effect=RECORDED, verdict=verdict, meter=meter)

    def _evidence(self, found: Outcome, body: bytes) -> Outcome:
        evidence = entry_format.decode_evidence(body, self._epoch.ledger_id)
        kid = evidence.low.kid
        found = replace(found, meter=kid, seq=evidence.low.sample.seq)
        meter = self._meter(kid)
        if meter is None:
            return found
        new = samples.execute_evidence(self.state, meter, evidence, self._verify)
        return replace(found, effect=RECORDED if new else REPEAT)

    def _meter(self, kid: bytes) -> Meter | None:
        if kid not in self._known:
            self._known[kid] = registry.meter(self.state, kid)
        return self._known[kid]


_VOID = Outcome(BlockRef(0, 0, b""), 0, 0, VOID, 0, None, None, None, None)
