"""Why a ledger must stop for good: going on would make it worse."""

from wattle_gateway.errors import GatewayError


class StoppedError(GatewayError):
    """This ledger was stopped and stays so: see what it says, audit it, then repair it."""


class DivergenceError(StoppedError):
    """This gateway's ledger is not the one that the others vote for."""
