"""Errors of consensus."""

from wattle_gateway.errors import GatewayError
from wattle_gateway.ledger.block import Block


class ConsensusError(GatewayError):
    """The root of what consensus raises."""


class PoolFullError(ConsensusError):
    """More entries than the engine may hold: offer them again after the next commit."""


class EntryTooLargeError(ConsensusError):
    """An entry that no block could carry."""


class HistoryError(ConsensusError):
    """A commit that was given as proved does not follow from its blocks."""


class SafetyError(ConsensusError):
    """More members are faulty than the committee bears: stop, keep the evidence, tell.

    `blocks` are the two that cannot both be certified.
    """

    def __init__(self, message: str, blocks: tuple[Block, Block]) -> None:
        super().__init__(message)
        self.blocks = blocks
