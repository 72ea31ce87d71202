"""Faults in what enters the graph and what own blocks say."""

from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256
from typing import Any

from wattle_gateway.consensus.dag import Dag
from wattle_gateway.consensus.engine import Engine
from wattle_gateway.consensus.proposer import Proposer
from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger.block import Block, BlockRef
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.errors import BlockError

from wattle_testkit.simulation import cheap_keys
from wattle_testkit.simulation.mutants.replacement import Replacement


def digest_over_signature() -> list[Replacement]:
    """A block's name covers its signature (rule 3): a second valid one makes a second block."""
    parse, verify = block_format.parse, cheap_keys.verify
    signed: dict[bytes, bytes] = {}

    def parse_whole(raw: bytes, ledger_id: bytes) -> Block:
        block = parse(raw, ledger_id)
        digest = sha256(raw).digest()
        signed[digest] = block.digest
        return replace(block, digest=digest)

    def verify_signed(public: bytes, digest: bytes, signature: bytes) -> None:
        verify(public, signed.get(digest, digest), signature)

    return [(block_format, "parse", parse_whole), (cheap_keys, "verify", verify_signed)]


def twin_parents() -> list[Replacement]:
    """A block may name two blocks of one author (rule 6), and does."""
    right = Proposer.parents

    def parents(self: Proposer, dag: Dag, round_number: int, ignored: int) -> list[BlockRef]:
        named = right(self, dag, round_number, 0)
        for ref in list(named[1:]):
            slot = dag.slot(ref.round, ref.author)
            named += [twin.block.ref for twin in slot if twin.block.ref not in named]
        return [named[0], *sorted(named[1:], key=lambda ref: ref.author)]

    def check_parents(block: Block, epoch: Epoch) -> None:
        if any(ref.author >= epoch.size or ref.round >= block.round for ref in block.parents):
            raise BlockError("a parent out of range")

    return [(Proposer, "parents", parents), (block_format, "_check_parents", check_parents)]


def own_payload_forgotten() -> list[Replacement]:
    """What an own block carried below the floor is gone (rule 24)."""
    settle = Engine._settle

    def forgetful(self: Engine, commits: Iterable[Any]) -> None:
        settle(self, commits)
        self._pending.returned.clear()

    return [(Engine, "_settle", forgetful)]


def signs_before_others_answer() -> list[Replacement]:
    """After a start it signs at once (rules 31, 32)."""
    begin = Engine.__init__

    def hasty(self: Engine, *arguments: Any, silent: bool = False, **named: Any) -> None:
        begin(self, *arguments, silent=False, **named)

    return [(Engine, "__init__", hasty)]


MUTANTS = {
    function.__name__: function
    for function in (
        digest_over_signature,
        own_payload_forgotten,
        signs_before_others_answer,
        twin_parents,
    )
}
