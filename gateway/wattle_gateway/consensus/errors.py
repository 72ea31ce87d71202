"""Errors of consensus."""

from wattle_gateway.errors import GatewayError


class ConsensusError(GatewayError):
    """The root of what consensus raises."""


class UnsupportedCommitteeError(ConsensusError):
    """A committee that this version cannot run."""


class PoolFullError(ConsensusError):
    """More entries than the engine may hold: offer them again after the next commit."""


class EntryTooLargeError(ConsensusError):
    """An entry that no block could carry."""


class SafetyError(ConsensusError):
    """More members are faulty than the committee bears: stop, keep the evidence, tell."""
