"""Execution of evidence: who signed two things that cannot both be honest (SPEC section 12).

Each function raises SignatureError unless both things are signed by whom they accuse.
"""

from wattle_gateway.contracts import alliance, registry
from wattle_gateway.contracts.alliance import Cheat, FalseCheckpoints
from wattle_gateway.contracts.registry import Meter
from wattle_gateway.contracts.state import State
from wattle_gateway.ledger import checkpoint
from wattle_gateway.ledger.crypto import Verify
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.errors import FormatError, SignatureError
from wattle_gateway.ledger.evidence import TwoBlocks, TwoCheckpoints, TwoSamples


def execute_samples(state: State, meter: Meter, shown: TwoSamples, verify: Verify) -> bool:
    """Record that `meter` signed two samples of one seq; False if the state knows it already."""
    seq = shown.low.sample.seq
    for signed in (shown.low, shown.high):
        verify(meter.signing_key, signed.digest, signed.signature)
    if registry.fork(state, meter.kid, seq) is not None:
        return False
    registry.put_fork(state, meter.kid, seq, shown.low.digest, shown.high.digest)
    return True


def execute_blocks(state: State, shown: TwoBlocks, epoch: Epoch, verify: Verify) -> bytes | None:
    """Record that a voting member signed two blocks of a round of this epoch; gives its kid, None
    if the state knows of a pair of this epoch already.

    Raises FormatError for another epoch or an author outside the committee.
    """
    low, high = shown.low, shown.high
    if low.epoch != epoch.number or low.author >= epoch.size:
        raise FormatError(f"author {low.author} of epoch {low.epoch} is not of this committee")
    member = epoch.members[low.author]
    if low.kid != member.kid:
        raise SignatureError(f"blocks of author {low.author} name another key")
    for block in (low, high):
        verify(member.block_key, block.digest, block.signature)
    known = alliance.cheat(state, member.kid)
    if known is not None and known.epoch == epoch.number:
        return None
    cheat = Cheat(member.kid, epoch.number, low.round, low.digest, high.digest)
    alliance.put_cheat(state, cheat)
    return member.kid


def execute_checkpoints(state: State, shown: TwoCheckpoints, epoch: Epoch) -> bytes | None:
    """Record that a voting member signed two checkpoints of this log that cannot both be true;
    gives its kid, None if the state knows it of this member already.

    Raises FormatError for checkpoints of another log.
    """
    first, second = shown.first.checkpoint, shown.second.checkpoint
    if first.origin != checkpoint.origin(epoch):
        raise FormatError(f"checkpoints of {first.origin!r}")
    member = epoch.members[checkpoint.signer_of(first, shown.first.lines[0], epoch)]
    checkpoint.verify_line(second, shown.second.lines[0], member.checkpoint_key)
    if alliance.false_checkpoints(state, member.kid) is not None:
        return None
    found = FalseCheckpoints(member.kid, (first.size, first.root), (second.size, second.root))
    alliance.put_false_checkpoints(state, found)
    return member.kid
