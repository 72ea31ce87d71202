"""Errors of what peers say to each other."""

from wattle_gateway.errors import GatewayError


class SyncError(GatewayError):
    """The root of what sync raises."""


class PeerMessageError(SyncError):
    """Bytes of a peer that are no message of SPEC section 15: its link ends."""


class UnprovedHistoryError(SyncError):
    """A history that its votes do not prove: the peer that gave it lied."""
