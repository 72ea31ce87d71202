"""Blocks of peers, from bytes to valid blocks: nothing unverified gets past here."""

from collections.abc import Callable, Sequence

from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger.block import Block, VerifiedBlock
from wattle_gateway.ledger.crypto import Verify
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.errors import BlockError
from wattle_gateway.sync.packed import PackedBlock

ParseBlock = Callable[[bytes, bytes], Block]
"""(header, ledger id) -> Block; raises LedgerError."""

CheckBlock = Callable[[Block, Sequence[bytes], Epoch, Verify], VerifiedBlock]
"""`block.check`; raises LedgerError."""


class Intake:
    """Parses and checks blocks for the epoch in force.

    A block that fails leaves no trace: its digest is that of what was signed, so a copy with a
    bad signature or payload says nothing about the block itself (rule 3).
    """

    def __init__(
        self,
        epoch: Epoch,
        verify: Verify,
        parse: ParseBlock = block_format.parse,
        check: CheckBlock = block_format.check,
    ) -> None:
        """`parse` and `check` may be kept results of the same functions: both are pure."""
        self.epoch = epoch
        self.verify = verify
        self._parse = parse
        self._check = check

    def header(self, raw: bytes) -> Block:
        """The header in `raw`, not verified; LedgerError if it is none."""
        return self._parse(raw, self.epoch.ledger_id)

    def check(self, header: Block, packed: PackedBlock) -> VerifiedBlock:
        """A valid block of the epoch in force; LedgerError for any other."""
        return self._check(header, packed.entries, self.epoch, self.verify)

    def signed_header(self, raw: bytes) -> Block:
        """A header that a voting member of the epoch in force signed; LedgerError for another.

        Only its signature is checked, not its rules: it is somebody's word, no block to build on.
        """
        header = self.header(raw)
        self.verify_header(header)
        return header

    def verify_header(self, header: Block) -> None:
        """LedgerError unless a voting member of the epoch in force signed this header."""
        if header.epoch != self.epoch.number or header.author >= self.epoch.size:
            raise BlockError(
                f"header of epoch {header.epoch}, author {header.author}, expected epoch "
                f"{self.epoch.number} with {self.epoch.size} authors"
            )
        member = self.epoch.members[header.author]
        if header.kid != member.kid:
            raise BlockError(f"header of author {header.author} names another key")
        self.verify(member.block_key, header.digest, header.signature)
